/** Subsets: named and not defined, defined without endpoints, defined and not named, not defined everywhere. */
import type { DestinationRuleSpec, DestinationRuleSubsets, VirtualServiceSpec } from '../../istio/specs.ts';
import { type DestinationAt, destinationsOf } from '../destinations.ts';
import { type Finding, finding } from '../finding.ts';
import { hostText, keyOf } from '../hosts.ts';
import type { Subject } from '../subject.ts';
import type { World } from '../world.ts';

/** HW0105, HW0502. */
export function namedSubsets(subject: Subject<VirtualServiceSpec>, world: World): Finding[] {
  return destinationsOf(subject.spec).flatMap((one) => {
    if (one.destination.subset === undefined || one.destination.subset === '') return [];
    const rules = world.rulesOf(keyOf(one.destination.host, subject.namespace));
    const defining = rules.filter(({ spec }) => spec.subsets?.some(({ name }) => name === one.destination.subset));
    return defining.length === 0 ? [undefinedSubset(subject, one, rules)] : elsewhere(subject, one, { defining, world });
  });
}

function undefinedSubset(subject: Subject, { field, destination }: DestinationAt, rules: readonly Subject<DestinationRuleSpec>[]): Finding {
  const known = [...new Set(rules.flatMap(({ spec }) => (spec.subsets ?? []).map(({ name }) => name)))].sort();
  const way = rules.length === 0 ? 'there is no DestinationRule for it' : `${rules[0]?.key} has ${known.join(', ') || 'none'}`;
  return finding(
    'HW0105',
    { at: subject, field: `${field}.subset` },
    `no DestinationRule of ${destination.host} defines the subset ${destination.subset}: ${way}`,
  );
}

interface Defining {
  readonly defining: readonly Subject<DestinationRuleSpec>[];
  readonly world: World;
}

function elsewhere(subject: Subject, { field, destination }: DestinationAt, { defining, world }: Defining): Finding[] {
  const wanted = world.clustersOf(subject);
  const defined = new Set(defining.flatMap((rule) => world.clustersOf(rule) ?? []));
  const without = (wanted ?? []).filter((cluster) => !defined.has(cluster));
  if (without.length === 0) return [];
  const message = `the subset ${destination.subset} is not defined in ${without.join(', ')}, where ${defining[0]?.key} is not placed`;
  return [finding('HW0502', { at: subject, field: `${field}.subset` }, message)];
}

/** HW0106, HW0107. */
export function definedSubsets(subject: Subject<DestinationRuleSpec>, world: World): Finding[] {
  const key = keyOf(subject.spec.host, subject.namespace);
  const named = world.subsetsAsked(key);
  return (subject.spec.subsets ?? []).flatMap((subset, index) => {
    const place = { at: subject, field: `spec.subsets[${index}]` };
    const isEmpty = hasEndpoints(key, subset, world) === false;
    return [
      ...(isEmpty ? [finding('HW0106', place, `no workload of ${hostText(key)} has ${labelText(subset.labels)}`)] : []),
      ...(named.has(subset.name) ? [] : [finding('HW0107', place, `no route names the subset ${subset.name}`)]),
    ];
  });
}

/** Undefined when that is not known. */
function hasEndpoints(key: string, { labels = {} }: DestinationRuleSubsets, world: World): boolean | undefined {
  const service = world.services?.get(key);
  if (service === undefined || service.shards.some((shard) => shard.labels === undefined)) return undefined;
  const wanted = Object.entries(labels);
  return service.shards.some((shard) => (shard.labels ?? []).some((has) => wanted.every(([name, value]) => has[name] === value)));
}

function labelText(labels: Readonly<Record<string, string>> = {}): string {
  return (
    Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(',') || 'any labels'
  );
}
