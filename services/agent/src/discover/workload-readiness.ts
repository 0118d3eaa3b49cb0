/** What machines of WorkloadGroups say of their own readiness, by the probe of their group, which they are given here. */
import { isDeepStrictEqual } from 'node:util';
import type { WorkloadGroupProbe, WorkloadGroupSpec } from '@hawser/model/istio/specs.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import type { WorkloadReport } from '@hawser/wire/workload-health.ts';

/** A machine with a stream; its identity is what its token proves. */
export interface Machine {
  readonly name: string;
  readonly address: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** One stream of a machine. */
export interface ReadinessWatch {
  /** What the machine said now. */
  heard(report: WorkloadReport): void;
  /** The stream ended: what it said last is no longer known. */
  close(): void;
}

interface Watch {
  readonly machine: Machine;
  readonly group: string;
  readonly instruct: (probe: WorkloadGroupProbe | undefined) => void;
  /** Undefined before the first time it was told. */
  told?: { readonly probe: WorkloadGroupProbe | undefined };
  ready?: boolean | undefined;
}

/** Keeps the streams of all machines. */
export class WorkloadReadiness {
  /** By machine, the oldest first. */
  readonly #watches = new Map<string, Set<Watch>>();
  readonly #policies: () => ReadonlyMap<string, Resource>;
  readonly #onChange: () => void;
  #scheduled: NodeJS.Immediate | undefined;

  /** `policies` are those in force, by resource key; `onChange` is called when what machines say differs, once for many. */
  constructor(policies: () => ReadonlyMap<string, Resource>, onChange: () => void) {
    this.#policies = policies;
    this.#onChange = onChange;
  }

  /** A machine watches: it is given the probe of its group, now and when that changes. */
  watch(machine: Machine, group: string, instruct: Watch['instruct']): ReadinessWatch {
    const watch: Watch = { machine, group, instruct };
    const key = keyOf(machine);
    this.#watches.set(key, (this.#watches.get(key) ?? new Set()).add(watch));
    this.#tell(watch);
    return {
      heard: ({ ready }) => {
        if (ready === watch.ready) return;
        watch.ready = ready;
        this.#soon();
      },
      close: () => {
        const others = this.#watches.get(key);
        if (others?.delete(watch) !== true) return;
        if (others.size === 0) this.#watches.delete(key);
        if (watch.ready !== undefined) this.#soon();
      },
    };
  }

  /** How many streams a machine has; more than one is an old connection that is not yet known to be dead. */
  streamsOf(machine: Machine): number {
    return this.#watches.get(keyOf(machine))?.size ?? 0;
  }

  /** What the machine says on its newest stream; undefined where it has said nothing on one that is there. */
  readyOf(machine: Machine): boolean | undefined {
    let ready: boolean | undefined;
    for (const watch of this.#watches.get(keyOf(machine)) ?? []) ready = watch.ready ?? ready;
    return ready;
  }

  /** Gives changed probes to the machines that make them; to be called when policies may differ. */
  tell(): void {
    for (const watches of this.#watches.values()) for (const watch of watches) this.#tell(watch);
  }

  #soon(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.#onChange();
    });
  }

  #tell(watch: Watch): void {
    const group = this.#policies().get(resourceKey('WorkloadGroup', watch.machine.namespace, watch.group));
    const { probe } = (group?.spec ?? {}) as Partial<WorkloadGroupSpec>;
    if (watch.told !== undefined && isDeepStrictEqual(watch.told.probe, probe)) return;
    watch.told = { probe };
    watch.instruct(probe);
  }
}

function keyOf({ namespace, serviceAccount, name, address }: Machine): string {
  return `${namespace}/${serviceAccount}/${name}/${address}`;
}
