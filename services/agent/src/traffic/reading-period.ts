/** How often proxies are read: once a second, and oftener while a drill is under way, whose recovery time is no better known than that. Pure. */
import { DRILL_RUN } from '@hawser/model/drill-form.ts';
import type { Resource } from '@hawser/model/resource.ts';

const USUAL_MS = 1_000;
const DRILL_MS = 100;
/** A reading costs an agent and a proxy about a millisecond: more proxies than that leaves time for are read less often. */
const EACH_MS = 4;

/** Milliseconds from one round to the next, with so many proxies under these policies. */
export function readingPeriodMs(policies: ReadonlyMap<string, Pick<Resource, 'kind'>>, proxies: number): number {
  return isDrilled(policies) ? Math.min(Math.max(DRILL_MS, EACH_MS * proxies), USUAL_MS) : USUAL_MS;
}

type Policies = Parameters<typeof readingPeriodMs>[0];

/** By the policies, which nobody changes: it is asked with every change of anything. */
const known = new WeakMap<Policies, boolean>();

function isDrilled(policies: Policies): boolean {
  const found = known.get(policies) ?? policies.values().some(({ kind }) => kind === DRILL_RUN);
  known.set(policies, found);
  return found;
}
