/** PURE: what destinations would bear if some of the places did not serve: measured load, moved as agents would move it, against capacity. */
import type { WhoServesAnswer } from '@hawser/wire/hub-api.ts';
import type { Refusal } from './drain-evidence.ts';
import { HEADROOM } from './drain-waits.ts';

/** One service, before and after. */
export interface ServiceLoad {
  /** `NAMESPACE/NAME`. */
  readonly service: string;
  /** Requests/s by the cluster that they come from; undefined where they are not measured. */
  readonly demand: ReadonlyMap<string, number> | undefined;
  readonly before: WhoServesAnswer['answers'];
  readonly after: WhoServesAnswer['answers'];
  /** Requests/s that a cluster can bear of it; undefined where nobody knows. */
  readonly capacityOf: (cluster: string) => number | undefined;
}

/** One destination of one service. Requests/s; undefined where it is not known. */
export interface Headroom {
  readonly service: string;
  readonly cluster: string;
  readonly before: number | undefined;
  readonly after: number | undefined;
  readonly capacity: number | undefined;
  /** `short`: it would be above what is left free; `unknown`: it would get more, and nobody knows how much that is or what it can bear. */
  readonly verdict: 'enough' | 'short' | 'unknown';
}

/** Part of the capacity that stays free, unless another is asked for. */
const FREE = 0.2;

/** Every destination that would get more than now, the tightest first; those about which nothing is known at the end. */
export function headroomOf(services: readonly ServiceLoad[], free = FREE): readonly Headroom[] {
  return services.flatMap((one) => forService(one, free)).sort((a, b) => tightness(b) - tightness(a));
}

/** Why the load may not be moved; undefined when every destination has room. */
export function headroomRefusal(headroom: readonly Headroom[], free = FREE): Refusal | undefined {
  const short = headroom.filter(({ verdict }) => verdict === 'short');
  const unknown = headroom.filter(({ verdict }) => verdict === 'unknown');
  if (short.length > 0)
    return { rule: HEADROOM, message: `${listed(short, shortText)}; at most ${Math.round((1 - free) * 100)} % may be used` };
  if (unknown.length === 0) return undefined;
  return { rule: HEADROOM, message: `${listed(unknown, unknownText)}; declare the capacity, or go without this rule (--force)` };
}

/** Shares of the requests of one caller's cluster by the cluster that answers: those of the first level that has somebody healthy. */
export function sharesOf(localities: WhoServesAnswer['answers'][number]['localities']): ReadonlyMap<string, number> {
  const able = localities.filter(({ healthy }) => healthy > 0);
  const first = Math.min(...able.map(({ priority }) => priority));
  const level = able.filter(({ priority }) => priority === first);
  const total = level.reduce((sum, { weight }) => sum + weight, 0);
  const shares = new Map<string, number>();
  for (const { cluster, weight } of level) shares.set(cluster, (shares.get(cluster) ?? 0) + weight / total);
  return shares;
}

function forService({ service, demand, capacityOf, ...answers }: ServiceLoad, free: number): Headroom[] {
  const [before, after] = [loads(answers.before, demand), loads(answers.after, demand)];
  return [...after.keys()].sort().flatMap((cluster): Headroom[] => {
    const [was, would] = [before.get(cluster) ?? 0, after.get(cluster) ?? 0];
    if (would <= was * 1.000_001) return [];
    const capacity = capacityOf(cluster);
    if (demand === undefined) return [{ service, cluster, before: undefined, after: undefined, capacity, verdict: 'unknown' }];
    const verdict = capacity === undefined ? 'unknown' : would > capacity * (1 - free) ? 'short' : 'enough';
    return [{ service, cluster, before: was, after: would, capacity, verdict }];
  });
}

/** Requests/s by destination; without a measured demand, every caller counts the same: that says who gets more, and not how much. */
function loads(answers: WhoServesAnswer['answers'], demand: ServiceLoad['demand']): ReadonlyMap<string, number> {
  const load = new Map<string, number>();
  for (const { from, localities } of answers) {
    const wanted = demand === undefined ? 1 : (demand.get(from) ?? 0);
    for (const [cluster, share] of sharesOf(localities)) load.set(cluster, (load.get(cluster) ?? 0) + wanted * share);
  }
  return load;
}

function tightness({ after, capacity, verdict }: Headroom): number {
  if (after === undefined || capacity === undefined) return verdict === 'unknown' ? -1 : 0;
  return capacity === 0 ? Number.MAX_VALUE : after / capacity;
}

const LISTED = 3;

function listed(all: readonly Headroom[], text: (one: Headroom) => string): string {
  const more = all.length > LISTED ? ` and ${all.length - LISTED} more` : '';
  return `${all.slice(0, LISTED).map(text).join(', ')}${more}`;
}

function shortText({ service, cluster, after = 0, capacity = 0 }: Headroom): string {
  return `${service} in ${cluster} would get ${rate(after)} requests/s of ${rate(capacity)}`;
}

function unknownText({ service, cluster, after, capacity }: Headroom): string {
  if (after === undefined) return `the load of ${service} is not measured, and ${cluster} would get more of it`;
  return `${service} in ${cluster} would get ${rate(after)} requests/s${capacity === undefined ? ', and nobody knows how many it bears' : ''}`;
}

function rate(perSecond: number): string {
  return perSecond >= 10 ? perSecond.toFixed(0) : perSecond.toFixed(1);
}
