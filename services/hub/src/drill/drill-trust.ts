/** Whether callers and those who would answer them believe each other, by what agents account for. */
import type { RosterMember } from '@hawser/model/fleet.ts';
import { federates } from '@hawser/model/trust-domain.ts';
import { checkBundle } from '@hawser/runtime/authority-certificate.ts';
import { rootMark } from '@hawser/wire/trust.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';

/** Calls of one cluster that another is to answer. */
export interface TrustPath {
  readonly source: string;
  readonly destination: string;
}

/** What keeps the calls from being believed, or from being known to be. Each place is looked at once. */
export function trustProblems(context: FleetContext, paths: readonly TrustPath[]): readonly string[] {
  const between = paths.filter(({ source, destination }) => source !== destination);
  const sides = between.flatMap(({ source, destination }) => [`${source} ${destination}`, `${destination} ${source}`]);
  return [...new Set(sides)].sort().flatMap((side) => {
    const [cluster = '', other = ''] = side.split(' ');
    const problem = problemOf(context, cluster, other);
    return problem === undefined ? [] : [problem];
  });
}

function problemOf(context: FleetContext, cluster: string, other: string): string | undefined {
  const [own, theirs] = [memberOf(context, cluster), memberOf(context, other)];
  if (own === undefined || theirs === undefined) return `${own === undefined ? cluster : other} is no member of the federation`;
  const { trustDomain } = theirs;
  if (!federates(own, trustDomain)) return `${cluster} does not federate with ${trustDomain} of ${other}`;
  const wanted = marksOf(context, other, trustDomain);
  if (wanted.length === 0) return `${other} has not said what its roots are`;
  const agents = context.accounts.replicas(cluster);
  if (agents.length === 0) return `nothing was heard of the agent of ${cluster}`;
  for (const { status } of agents) {
    const bundle = status?.trust?.bundles.find((one) => one.trustDomain === trustDomain);
    const missing = wanted.filter((mark) => bundle?.roots.includes(mark) !== true);
    if (bundle === undefined || missing.length > 0) return `${cluster} does not serve the roots of ${other} yet`;
    const left = bundle.expected - bundle.acked;
    if (left > 0) return `${left} ${left === 1 ? 'proxy' : 'proxies'} of ${cluster} did not acknowledge the roots of ${other}`;
  }
  return undefined;
}

function memberOf({ distribution }: FleetContext, cluster: string): RosterMember | undefined {
  return distribution.desired?.members.find(({ name }) => name === cluster);
}

function marksOf({ fleet, now }: FleetContext, cluster: string, trustDomain: string): readonly string[] {
  const { authorities } = checkBundle(trustDomain, fleet.cluster(cluster)?.facts?.trustBundle ?? [], now());
  return authorities.map(({ fingerprint }) => rootMark(fingerprint));
}
