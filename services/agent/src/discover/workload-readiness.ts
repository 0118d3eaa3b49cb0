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
  readonly #watches = new Set<Watch>();
  readonly #policies: () => ReadonlyMap<string, Resource>;
  readonly #onChange: () => void;

  /** `policies` are those in force, by resource key; `onChange` is called when a machine's word differs. */
  constructor(policies: () => ReadonlyMap<string, Resource>, onChange: () => void) {
    this.#policies = policies;
    this.#onChange = onChange;
  }

  /** A machine watches: it is given the probe of its group, now and when that changes. */
  watch(machine: Machine, group: string, instruct: Watch['instruct']): ReadinessWatch {
    const watch: Watch = { machine, group, instruct };
    this.#watches.add(watch);
    this.#tell(watch);
    return {
      heard: ({ ready }) => {
        if (ready === watch.ready) return;
        watch.ready = ready;
        this.#onChange();
      },
      close: () => {
        if (this.#watches.delete(watch) && watch.ready !== undefined) this.#onChange();
      },
    };
  }

  /** What the machine says; undefined where it has said nothing on a stream that is there. */
  readyOf(machine: Machine): boolean | undefined {
    let ready: boolean | undefined;
    // The last stream counts: an earlier one of the same machine is not yet known to be dead.
    for (const watch of this.#watches) if (isDeepStrictEqual(watch.machine, machine) && watch.ready !== undefined) ready = watch.ready;
    return ready;
  }

  /** Gives changed probes to the machines that make them; to be called when policies may differ. */
  tell(): void {
    for (const watch of this.#watches) this.#tell(watch);
  }

  #tell(watch: Watch): void {
    const group = this.#policies().get(resourceKey('WorkloadGroup', watch.machine.namespace, watch.group));
    const { probe } = (group?.spec ?? {}) as Partial<WorkloadGroupSpec>;
    if (watch.told !== undefined && isDeepStrictEqual(watch.told.probe, probe)) return;
    watch.told = { probe };
    watch.instruct(probe);
  }
}
