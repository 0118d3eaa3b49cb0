/** How TrustDomain differs from other kinds: what it may say depends on who has joined, and its bundle has a state. */
import { trustDomainOf } from '@hawser/model/fleet.ts';
import type { Issue, Resource } from '@hawser/model/resource.ts';
import { DEFAULT_TRUST_DOMAIN, type NamedTrustDomain, type TrustDomainSpec, trustDomainFor } from '@hawser/model/trust-domain.ts';
import { checkBundle, pemCertificates } from '@hawser/runtime/authority-certificate.ts';
import { allMembers, type MemberRow } from '../cluster/member-store.ts';
import type { Statements } from '../db/database.ts';
import { StatusError } from '../http/status.ts';
import type { Condition } from '../hub-core.ts';
import { byUid, type KindBehaviour, namesOf } from '../resource/kind-behaviour.ts';
import { readable } from '../resource/resource-status.ts';
import { deleteExternalBundle, type ExternalBundleRow, externalBundlesOf } from './external-bundle-store.ts';
import { trustDomainsIn } from './roster-state.ts';

/** Which trust domain of a member has an authority's key, as far as clusters have said. */
export type KeyOwner = (keyId: string) => string | undefined;

/** The trust domain that a cluster gets by joining now. */
export async function trustDomainAtJoin(tx: Statements, cluster: string): Promise<string> {
  const domains = trustDomainsIn(await readable(tx, 'TrustDomain'));
  const name = trustDomainFor(cluster, domains);
  if (domains.find((domain) => domain.name === name)?.spec.source?.type === 'external') {
    throw new StatusError(
      'Conflict',
      `${name} is an external trust domain: no cluster can bear it; delete that TrustDomain or give it another name`,
    );
  }
  return name;
}

/** Builds the behaviour. */
export function trustDomainBehaviour(keyOwner: KeyOwner): KindBehaviour {
  return {
    check: async (tx, resource) => {
      const others = trustDomainsIn(await readable(tx, 'TrustDomain')).filter(({ name }) => name !== resource.metadata.name);
      return trustDomainIssues(resource, { others, members: await allMembers(tx), keyOwner, now: Date.now() });
    },
    deleted: async (tx, { metadata }) => deleteExternalBundle(tx, metadata.name),
    statuses: async (tx, resources) => {
      const names = namesOf(resources);
      const domains = trustDomainsIn(await readable(tx, 'TrustDomain')).filter(({ name }) => names.includes(name));
      const rows = new Map((await externalBundlesOf(tx, names)).map((row) => [row.trustDomain, row]));
      const members = await allMembers(tx);
      const fields = new Map(domains.map((domain) => [domain.name, statusOf(domain, { row: rows.get(domain.name), members })]));
      return byUid(resources, (name) => fields.get(name));
    },
  };
}

/** What there is beside the trust domain that is to be stored. */
export interface TrustDomainWorld {
  readonly others: readonly NamedTrustDomain[];
  readonly members: readonly Pick<MemberRow, 'cluster' | 'trustDomain'>[];
  readonly keyOwner: KeyOwner;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Why it cannot be stored. Pure. */
export function trustDomainIssues(resource: Resource, world: TrustDomainWorld): readonly Issue[] {
  const { name } = resource.metadata;
  const spec = resource.spec as TrustDomainSpec;
  if (name === DEFAULT_TRUST_DOMAIN) return defaultIssues(spec);
  const borne = new Map(world.members.map(({ cluster, trustDomain }) => [cluster, trustDomain ?? trustDomainOf(cluster)]));
  return [
    ...(spec.source?.type === 'external' ? externalIssues({ name, spec }, borne, world) : []),
    ...clusterIssues({ name, spec }, borne, world.others),
    ...aliasIssues({ name, spec }, borne, world.others),
  ];
}

function defaultIssues(spec: TrustDomainSpec): readonly Issue[] {
  return Object.keys(spec)
    .filter((field) => field !== 'federatesWith')
    .map((field) => ({
      path: `spec.${field}`,
      code: 'FieldValueForbidden',
      message: `is not for the TrustDomain named ${DEFAULT_TRUST_DOMAIN}, which says whom the others federate with unless they say it`,
    }));
}

function externalIssues(
  { name, spec }: NamedTrustDomain,
  borne: ReadonlyMap<string, string>,
  { keyOwner, now }: TrustDomainWorld,
): readonly Issue[] {
  const bearer = [...borne].find(([, trustDomain]) => trustDomain === name)?.[0];
  const taken: Issue[] =
    bearer === undefined
      ? []
      : [
          {
            path: 'metadata.name',
            code: 'FieldValueInvalid',
            message: `is the trust domain of the cluster ${bearer}: what is external cannot be`,
          },
        ];
  const text = spec.source?.bootstrapBundle;
  if (text === undefined) return taken;
  const at = (message: string): Issue => ({ path: 'spec.source.bootstrapBundle', code: 'FieldValueInvalid', message });
  const pems = pemCertificates(text);
  if (pems.length === 0) return [...taken, at('holds no certificate in PEM')];
  const { authorities, problems } = checkBundle(name, pems, now);
  const owned = authorities.flatMap(({ keyId }) => keyOwner(keyId) ?? []);
  return [
    ...taken,
    ...problems.map(at),
    ...owned.map((owner) => at(`holds a key that is an authority of ${owner}: one could speak for the other`)),
  ];
}

function clusterIssues(
  { name, spec }: NamedTrustDomain,
  borne: ReadonlyMap<string, string>,
  others: readonly NamedTrustDomain[],
): readonly Issue[] {
  return (spec.clusters ?? []).flatMap((cluster, index): Issue[] => {
    const path = `spec.clusters[${index}]`;
    const other = others.find((domain) => domain.spec.clusters?.includes(cluster) === true);
    if (other !== undefined)
      return [{ path, code: 'FieldValueInvalid', message: `is ${cluster}, which the TrustDomain ${other.name} has already` }];
    const now = borne.get(cluster);
    if (now === undefined || now === name) return [];
    const message = `is ${cluster}, which has joined as ${now}: its workloads bear that name; remove the cluster and join it again`;
    return [{ path, code: 'FieldValueInvalid', message }];
  });
}

/** An alias that is somebody's name would let policies mean the wrong one. */
function aliasIssues(
  { name, spec }: NamedTrustDomain,
  borne: ReadonlyMap<string, string>,
  others: readonly NamedTrustDomain[],
): readonly Issue[] {
  const taken = new Map<string, string>([...borne].map(([cluster, trustDomain]) => [trustDomain, `the cluster ${cluster}`]));
  for (const { name: other, spec: theirs } of others) {
    for (const word of [other, ...(theirs.aliases ?? [])]) taken.set(word, `the TrustDomain ${other}`);
  }
  return (spec.aliases ?? []).flatMap((alias, index): Issue[] => {
    const path = `spec.aliases[${index}]`;
    if (alias === name) return [{ path, code: 'FieldValueInvalid', message: `is ${alias}, its own name` }];
    const owner = taken.get(alias);
    return owner === undefined ? [] : [{ path, code: 'FieldValueInvalid', message: `is ${alias}, which is a name of ${owner} already` }];
  });
}

interface Known {
  readonly row: ExternalBundleRow | undefined;
  readonly members: TrustDomainWorld['members'];
}

function statusOf({ name, spec }: NamedTrustDomain, { row, members }: Known): Readonly<Record<string, unknown>> {
  const clusters = members
    .filter(({ cluster, trustDomain }) => (trustDomain ?? trustDomainOf(cluster)) === name)
    .map(({ cluster }) => cluster);
  if (spec.source?.type !== 'external') return name === DEFAULT_TRUST_DOMAIN ? {} : { clusters };
  if (spec.source.endpoint === undefined) return {};
  const bundle = {
    certificates: row?.certificates?.length ?? 0,
    ...(row?.sequence === null || row?.sequence === undefined ? {} : { sequence: row.sequence }),
    ...(row?.fetchedAt == null ? {} : { fetchedAt: row.fetchedAt.toISOString() }),
    ...(row?.nextAt == null ? {} : { nextFetchAt: row.nextAt.toISOString() }),
  };
  return { bundle, conditions: [fetched(row)] };
}

function fetched(row: ExternalBundleRow | undefined): Condition {
  const type = 'BundleFetched';
  if (row === undefined) return { type, status: 'Unknown', reason: 'NotTried', message: 'the bundle endpoint has not been asked yet' };
  const since = row.fetchedAt === null ? {} : { lastTransitionTime: row.fetchedAt.toISOString() };
  if (row.problem !== '') return { type, status: 'False', reason: row.held === '' ? 'Failed' : 'Held', message: row.problem };
  return { type, status: 'True', reason: 'Fetched', message: `sequence ${row.sequence ?? 'none'}`, ...since };
}
