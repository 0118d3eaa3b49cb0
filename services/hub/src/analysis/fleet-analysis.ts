/** The analysis over what this hub knows: stored resources, services, clusters and edge proxies, all from memory. */
import { bareName } from '@hawser/model/adoption.ts';
import { type AnalysisInput, analyze } from '@hawser/model/analysis/analyze.ts';
import type { Facts, KnownService, KnownServices, OwnPolicy } from '@hawser/model/analysis/facts.ts';
import { type Finding, SEVERITY_RANK } from '@hawser/model/analysis/finding.ts';
import { readSubject } from '@hawser/model/analysis/subject.ts';
import { modeOf } from '@hawser/model/policy-mode.ts';
import { resourceKey } from '@hawser/model/resource.ts';
import { parseServiceKey } from '@hawser/model/service-host.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { placementLabels } from '../placement/place.ts';

/** Of one write; more are too many to read, and to look for while somebody waits. */
const MOST_WRITTEN = 100;

/** Findings about what is written together with what is stored, and those elsewhere that it would newly cause; without any, about all that is stored. */
export function analysisOf(context: FleetContext, written: readonly unknown[]): readonly Finding[] {
  const input = inputOf(context, written);
  if (written.length === 0) return analyze(input);
  const given = new Set(written.map((content) => readSubject(content)?.key));
  const known = new Set(analyze({ ...input, written: [] }).map(textOf));
  return analyze(input).filter((one) => given.has(keyOf(one)) || !known.has(textOf(one)));
}

/** What is probably not meant of resources that are being written, in their order; nothing of those beyond the first hundred. */
export function warningsOf(context: FleetContext, written: readonly unknown[]): readonly (readonly Finding[])[] {
  const keys = written.slice(0, MOST_WRITTEN).map((content) => readSubject(content)?.key);
  const only = new Set(keys.filter((key) => key !== undefined));
  const found = analyze({ ...inputOf(context, written), only }).filter(({ severity }) => SEVERITY_RANK[severity] >= SEVERITY_RANK.Warning);
  const byKey = Map.groupBy(found, keyOf);
  return keys.map((key) => byKey.get(key ?? '') ?? []);
}

function inputOf(context: FleetContext, written: readonly unknown[]): AnalysisInput {
  return { written, stored: context.distribution.desired?.resources ?? [], ...factsOf(context) };
}

function factsOf(context: FleetContext): Facts {
  const clusters = context.fleet
    .clusters()
    .map(({ member }) => ({ name: member.name, region: member.region, labels: placementLabels(member) }));
  const edges = context.fleet.clusters().flatMap(({ member }) => {
    const proxies = context.accounts.get(member.name)?.status?.proxies ?? [];
    const edge = proxies.filter(({ role }) => role === 'edge');
    return edge.map(({ proxy, namespace, labels = {} }) => ({ name: `${member.name}/${proxy}`, namespace, labels }));
  });
  // Before the first has joined there is nothing that policy could be wrong about.
  return clusters.length === 0
    ? {}
    : { services: servicesOf(context), clusters, edges, trustDomains: trustDomainsOf(context), ownPolicies: ownPolicies(context) };
}

/** By the word of their agents since this hub began, and by what is in force. */
function ownPolicies({ distribution, found }: FleetContext): readonly OwnPolicy[] {
  const { adopted, members = [] } = distribution.desired ?? {};
  const inForce = [...(adopted ?? [])].flatMap(([, clusters]) =>
    [...clusters].map(([cluster, { kind, metadata }]) => {
      return { cluster, kind, namespace: metadata.namespace ?? '', name: bareName(metadata.name), inForce: true };
    }),
  );
  const others = members.flatMap(({ name: cluster, policies }) =>
    (found?.get(cluster)?.account.objects ?? [])
      .filter(({ namespace }) => modeOf(policies, namespace) === 'Authoritative')
      .filter(({ kind, namespace, name }) => adopted?.get(resourceKey(kind, namespace, name))?.has(cluster) !== true)
      .map(({ kind, namespace, name }) => ({ cluster, kind, namespace, name, inForce: false })),
  );
  return [...inForce, ...others];
}

function trustDomainsOf({ distribution }: FleetContext): readonly string[] {
  const { members = [], external = [] } = distribution.desired ?? {};
  return [...new Set([...members.map(({ trustDomain }) => trustDomain), ...external.map(({ name }) => name)])];
}

/** Assembled when asked for: a write asks for a few of many. */
function servicesOf({ fleet }: FleetContext): KnownServices | undefined {
  const known = fleet.knownServices();
  if (known === undefined) return undefined;
  const get = (key: string): KnownService | undefined => {
    if (!known.has(key)) return undefined;
    const shards = fleet.clusters().flatMap(({ member, shards: all }) => {
      const shard = all.get(key);
      return shard === undefined ? [] : [{ cluster: member.name, ports: shard.ports, endpoints: shard.total, labels: shard.labels }];
    });
    return { ...parseServiceKey(key), shards };
  };
  return { has: (key) => known.has(key), keys: () => known.keys(), get };
}

function keyOf({ kind, namespace, name }: Finding): string {
  return `${kind}/${namespace}/${name}`;
}

function textOf(finding: Finding): string {
  return `${finding.code} ${keyOf(finding)} ${finding.field} ${finding.message}`;
}
