/** What a DestinationRule says about places: its `localityLbSetting`, as Istio has it. Pure. */
import type { DestinationRuleLocalityLbSetting } from './istio/specs.ts';

/** Shares and order of localities. */
export type LocalitySetting = DestinationRuleLocalityLbSetting;

/** A place in Istio's terms; the sub-zone is the cluster's name. */
export interface Locality {
  readonly region: string;
  readonly zone?: string | undefined;
  readonly cluster: string;
}

/** Whether `REGION/ZONE/SUBZONE` means a place; what follows a `*`, or is left out, is any. */
export function matchesLocality(pattern: string, place: Locality): boolean {
  const [region = '*', zone = '*', subzone = '*'] = pattern.split('/');
  if (region === '*') return true;
  if (region !== place.region) return false;
  if (zone === '*') return true;
  return zone === (place.zone ?? '') && (subzone === '*' || subzone === place.cluster);
}

/** The shares that hold for callers of a place, the most exact pattern first; undefined when none are given. */
export function sharesFrom(setting: LocalitySetting | undefined, from: Locality): readonly (readonly [string, number])[] | undefined {
  if (setting === undefined || setting.enabled === false) return undefined;
  const rule = setting.distribute?.find((candidate) => matchesLocality(candidate.from ?? '*', from));
  if (rule?.to === undefined) return undefined;
  return Object.entries(rule.to).sort(([a], [b]) => exactness(b) - exactness(a) || (a < b ? -1 : 1));
}

/** Regions in the order in which they stand in for a region; undefined when the setting does not say. */
export function failoverFrom(setting: LocalitySetting | undefined, region: string): readonly string[] | undefined {
  if (setting === undefined || setting.enabled === false || setting.failover === undefined) return undefined;
  return setting.failover.flatMap(({ from, to }) => (from === region && to !== undefined ? [to] : []));
}

/** Labels whose agreement brings an endpoint near; undefined when the setting does not say. */
export function priorityLabels(setting: LocalitySetting | undefined): readonly string[] | undefined {
  const labels = setting?.enabled === false ? undefined : setting?.failoverPriority;
  return labels === undefined || labels.length === 0 ? undefined : labels;
}

/** How many of the priority labels an endpoint does not share, counted from the first that differs: 0 is nearest. `KEY=VALUE` asks for a value. */
export function distance(
  wanted: readonly string[],
  caller: Readonly<Record<string, string>>,
  endpoint: Readonly<Record<string, string>>,
): number {
  const differs = wanted.findIndex((label) => {
    const at = label.indexOf('=');
    const key = at < 0 ? label : label.slice(0, at);
    const value = at < 0 ? (caller[key] ?? '') : label.slice(at + 1);
    return (endpoint[key] ?? '') !== value;
  });
  return differs < 0 ? 0 : wanted.length - differs;
}

/** The labels that a place gives to what is in it, under the names that `failoverPriority` has for them. */
export function localityLabels(place: Locality & { readonly network?: string }): Readonly<Record<string, string>> {
  return {
    'topology.kubernetes.io/region': place.region,
    'topology.kubernetes.io/zone': place.zone ?? '',
    'topology.istio.io/subzone': place.cluster,
    'topology.istio.io/cluster': place.cluster,
    ...(place.network === undefined ? {} : { 'topology.istio.io/network': place.network }),
  };
}

function exactness(pattern: string): number {
  return pattern.split('/').filter((part) => part !== '*').length;
}
