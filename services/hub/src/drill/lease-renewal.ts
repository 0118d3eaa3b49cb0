/**
 * Signs of life for the agents that break something for a drill: without one for as long as the lease they lift it by themselves. To be
 * called with what the leader attends to; a hub that does not lead, or cannot read its database, so says nothing.
 */
import { inScope } from '@hawser/model/drain-scope.ts';
import { type DrillForm, type DrillInjection, drillFormOf } from '@hawser/model/drill-form.ts';
import { parseDuration } from '@hawser/model/duration.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { DRILL_LEASE, DrillLeaseResponse } from '@hawser/wire/drill-lease.ts';
import { Compile } from 'typebox/compile';
import { type AskParts, askAgent } from '../fleet/ask-agent.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';

/** What it works with. */
export interface LeaseRenewalParts {
  readonly context: Pick<FleetContext, 'distribution'>;
  /** Tells the agents of a cluster that a run is attended to. */
  readonly tell: (cluster: string, run: string, timeoutMs: number) => Promise<unknown>;
  /** Milliseconds of a clock that does not jump. */
  readonly monotonic?: () => number;
}

const answer = Compile(DrillLeaseResponse);
const isAnswer = (value: unknown): value is DrillLeaseResponse => answer.Check(value);
/** Signs in the time of a lease: two may be lost. */
const SIGNS = 3;
/** An answer is waited for so long at least. */
const ANSWER_MS = 1_000;

/** Renews the leases of runs. */
export class LeaseRenewal {
  readonly #parts: LeaseRenewalParts;
  readonly #monotonic: () => number;
  /** When the signs for a run were sent last. */
  readonly #toldAt = new Map<string, number>();

  constructor(parts: LeaseRenewalParts) {
    this.#parts = parts;
    this.#monotonic = parts.monotonic ?? (() => performance.now());
  }

  /** The runs under way, with their forms in force. May be called as often as one likes; each third of a lease is enough, and more is not sent. */
  attend(runs: readonly Resource[]): void {
    const names = new Set(runs.map(({ metadata }) => metadata.name));
    for (const name of this.#toldAt.keys()) if (!names.has(name)) this.#toldAt.delete(name);
    for (const run of runs) {
      const form = drillFormOf({ kind: run.kind, spec: run.inForce });
      if (form?.inject !== undefined) this.#tell(form, form.inject);
    }
  }

  #tell({ run, lease }: DrillForm, { scope }: DrillInjection): void {
    const now = this.#monotonic();
    // A little before its time: looks come when they come.
    const everyMs = (parseDuration(lease) ?? 0) / (SIGNS + 1);
    if (now - (this.#toldAt.get(run) ?? Number.NEGATIVE_INFINITY) < everyMs) return;
    this.#toldAt.set(run, now);
    const members = this.#parts.context.distribution.desired?.members ?? [];
    for (const { name } of members.filter((member) => inScope(scope, { ...member, cluster: member.name }))) {
      // Who does not answer says in its account whether it has lifted it; who is away lifts it.
      this.#parts.tell(name, run, Math.max(ANSWER_MS, everyMs)).catch(() => undefined);
    }
  }
}

/** Tells agents over the bus. */
export function leaseTeller(parts: AskParts): LeaseRenewalParts['tell'] {
  return (cluster, run, timeoutMs) => askAgent(parts, { cluster, method: DRILL_LEASE, body: { run }, timeoutMs, isAnswer });
}

/** Clusters of a run's scope in which an agent has lifted its fault by itself. */
export function lapsedIn(context: Pick<FleetContext, 'accounts'>, run: string, clusters: readonly string[]): string[] {
  return clusters.filter((cluster) =>
    context.accounts.replicas(cluster).some(({ status }) => status?.drills?.some((one) => one.run === run && one.state === 'lifted')),
  );
}
