/** The roster: who belongs to the federation, whom each trust domain believes, and what is outside. Pure. */
import { type ExternalTrustDomain, type RosterMember, trustDomainOf } from '@hawser/model/fleet.ts';
import type { ClusterSpec } from '@hawser/model/kind-specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { federationOf, type NamedTrustDomain, type TrustDomainSpec } from '@hawser/model/trust-domain.ts';
import { pemCertificates } from '@hawser/runtime/authority-certificate.ts';

/** What a join made of a cluster. */
export interface Enrolled {
  readonly cluster: string;
  readonly epoch: number;
  readonly signingKey: string;
  /** Null: `CLUSTER.hawser`. */
  readonly trustDomain: string | null;
}

/** What the roster is made of. */
export interface RosterInput {
  /** Clusters and trust domains, among others. */
  readonly resources: readonly Resource[];
  readonly enrolled: readonly Enrolled[];
  /** External bundles as they were fetched, by trust domain; null before the first. */
  readonly fetched: ReadonlyMap<string, readonly string[] | null>;
}

/** The hub's word on who is who. */
export interface RosterState {
  readonly members: readonly RosterMember[];
  readonly external: readonly ExternalTrustDomain[];
}

/** Members in the order of `enrolled`, external trust domains by name. */
export function rosterState({ resources, enrolled, fetched }: RosterInput): RosterState {
  const clusters = new Map(resources.filter(({ kind }) => kind === 'Cluster').map((cluster) => [cluster.metadata.name, cluster]));
  const domains = trustDomainsIn(resources);
  const members = enrolled.flatMap((member) => {
    const cluster = clusters.get(member.cluster);
    return cluster === undefined ? [] : [memberOf(cluster, member, domains)];
  });
  return { members, external: externalDomains(domains, fetched) };
}

/** The TrustDomain resources among others, by name. */
export function trustDomainsIn(resources: readonly Resource[]): readonly NamedTrustDomain[] {
  return resources
    .filter(({ kind }) => kind === 'TrustDomain')
    .map(({ metadata, spec }) => ({ name: metadata.name, spec: spec as TrustDomainSpec }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A member as agents see it. Without a network of its own name, a cluster is a network by itself. */
function memberOf({ metadata, spec }: Resource, member: Enrolled, domains: readonly NamedTrustDomain[]): RosterMember {
  const { region, zone, provider, network, exports, draining, policies } = spec as ClusterSpec;
  const trustDomain = member.trustDomain ?? trustDomainOf(metadata.name);
  const federatesWith = federationOf(trustDomain, domains);
  const { aliases = [] } = domains.find(({ name }) => name === trustDomain)?.spec ?? {};
  return {
    ...{ name: metadata.name, epoch: member.epoch, signingKey: member.signingKey, region },
    ...{ zone: zone ?? '', provider: provider ?? '', network: network ?? metadata.name, labels: metadata.labels ?? {}, trustDomain },
    ...(federatesWith === undefined ? {} : { federatesWith: [...federatesWith] }),
    ...(aliases.length === 0 ? {} : { aliases: [...aliases].sort() }),
    ...(exports === undefined ? {} : { exportNamespaces: [...exports.namespaces].sort() }),
    ...(draining === true ? { draining } : {}),
    ...(policies === undefined ? {} : { policies }),
  };
}

function externalDomains(domains: readonly NamedTrustDomain[], fetched: RosterInput['fetched']): ExternalTrustDomain[] {
  return domains
    .filter(({ spec }) => spec.source?.type === 'external')
    .map(({ name, spec }) => {
      const trustBundle = [...(fetched.get(name) ?? pemCertificates(spec.source?.bootstrapBundle ?? ''))].sort();
      const { aliases = [] } = spec;
      return { name, trustBundle, ...(aliases.length === 0 ? {} : { aliases: [...aliases].sort() }) };
    });
}
