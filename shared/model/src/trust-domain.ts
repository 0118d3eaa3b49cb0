/** Trust domains, and who trusts whom: explicit, one direction at a time (SPIFFE Federation 5; RELIABILITY.md 5.1). Pure. */
import Type, { type Static } from 'typebox';
import { LABEL_PATTERN } from './patterns.ts';
import { TRUST_DOMAIN_PATTERN, trustDomainOf } from './spiffe-ids.ts';
import type { SchemaProblem } from './validate-schema.ts';

/** A trust domain's name (SPIFFE-ID 2.1). */
export const TRUST_DOMAIN_NAME = `^${TRUST_DOMAIN_PATTERN}$`;
/** The TrustDomain that says whom the others federate with where they do not say it themselves. */
export const DEFAULT_TRUST_DOMAIN = 'default';
/** In `federatesWith`: every trust domain of the federation. */
export const EVERY_DOMAIN = '*';

const strict = { additionalProperties: false } as const;
const list = { uniqueItems: true } as const;
const name = (description: string) => Type.String({ pattern: TRUST_DOMAIN_NAME, description });

const Endpoint = Type.Object(
  {
    url: Type.String({
      pattern: '^https://[^\\s#@]+$',
      maxLength: 2048,
      description: 'Where the bundle is, https alone; redirects are not followed.',
    }),
    profile: Type.Union([Type.Literal('https_web'), Type.Literal('https_spiffe')], {
      description: 'How the server proves who it is: by a certificate of the public web (or of caBundle), or by an X.509-SVID.',
    }),
    endpointSpiffeId: Type.Optional(
      Type.String({
        pattern: `^spiffe://${TRUST_DOMAIN_PATTERN}/[A-Za-z0-9._/-]+$`,
        maxLength: 2048,
        description: 'Of https_spiffe: the SPIFFE ID that the server must have.',
      }),
    ),
    caBundle: Type.Optional(
      Type.String({ maxLength: 65_536, description: "Of https_web: PEM of the CA that is believed instead of the system's." }),
    ),
  },
  { ...strict, description: 'A SPIFFE bundle endpoint. URL, profile and trust domain are three settings; none follows from another.' },
);

const Source = Type.Object(
  {
    type: Type.Union([Type.Literal('agent'), Type.Literal('brought'), Type.Literal('external')], {
      description:
        'agent: the agents of its clusters make their own roots; brought: they were given them; external: workloads outside of the federation, known by a bundle endpoint alone.',
    }),
    endpoint: Type.Optional(Endpoint),
    bootstrapBundle: Type.Optional(
      Type.String({
        maxLength: 262_144,
        description: 'PEM of the bundle that is believed until the endpoint has been heard; https_spiffe needs it to begin with.',
      }),
    ),
  },
  { ...strict, description: 'Where its roots come from.' },
);

/** Whose identities a set of workloads bear, and whom they believe. */
export const TrustDomainSpec = Type.Object(
  {
    clusters: Type.Optional(
      Type.Array(Type.String({ pattern: LABEL_PATTERN }), {
        ...list,
        description:
          'Clusters whose workloads bear it; it must be there when they join. Default: the cluster of which it is CLUSTER.hawser.',
      }),
    ),
    source: Type.Optional(Source),
    federatesWith: Type.Optional(
      Type.Array(Type.String({ pattern: `^\\*$|${TRUST_DOMAIN_NAME}`, description: 'A trust domain, or * for every one.' }), {
        ...list,
        description:
          'Trust domains that its workloads believe, as callers and as servers; one that it does not name is refused. For calls both must name each other. Default: what the TrustDomain named default says, or all.',
      }),
    ),
    aliases: Type.Optional(
      Type.Array(name('A trust domain.'), {
        ...list,
        description: 'Names by which policies may mean it too. Nobody is believed for an alias.',
      }),
    ),
  },
  {
    ...strict,
    description: 'Whose identities a set of workloads bear, and whom they believe. One named default is for those that do not say.',
  },
);
export type TrustDomainSpec = Static<typeof TrustDomainSpec>;

/** Where an external bundle is fetched. */
export type BundleEndpoint = Static<typeof Endpoint>;

/** A trust domain, and whom it believes. */
export interface Federated {
  readonly trustDomain: string;
  readonly federatesWith?: readonly string[] | undefined;
}

/** Whether workloads of a trust domain believe those of another. Without a list, as one release back, all are believed. */
export function federates(own: Federated, other: string): boolean {
  const { trustDomain, federatesWith } = own;
  return trustDomain === other || federatesWith === undefined || federatesWith.includes(EVERY_DOMAIN) || federatesWith.includes(other);
}

/** Whether calls between two trust domains can succeed: each believes the other. */
export function isMutual(a: Federated, b: Federated): boolean {
  return federates(a, b.trustDomain) && federates(b, a.trustDomain);
}

/** What of the wished-for resources decides about the trust domain of one cluster. */
export interface NamedTrustDomain {
  readonly name: string;
  readonly spec: TrustDomainSpec;
}

/** Clusters that bear a trust domain. */
export function clustersOf({ name: domain, spec }: NamedTrustDomain): readonly string[] {
  if (spec.clusters !== undefined) return spec.clusters;
  return domain.endsWith('.hawser') && spec.source?.type !== 'external' ? [domain.slice(0, -'.hawser'.length)] : [];
}

/** The trust domain that a cluster gets when it joins. */
export function trustDomainFor(cluster: string, domains: readonly NamedTrustDomain[]): string {
  return domains.find((domain) => domain.spec.clusters?.includes(cluster) === true)?.name ?? trustDomainOf(cluster);
}

/** Whom a trust domain federates with, by what was written; undefined for all. */
export function federationOf(domain: string, domains: readonly NamedTrustDomain[]): readonly string[] | undefined {
  const said = domains.find(({ name: named }) => named === domain)?.spec.federatesWith;
  const fallback = domains.find(({ name: named }) => named === DEFAULT_TRUST_DOMAIN)?.spec.federatesWith;
  const wanted = said ?? fallback;
  return wanted === undefined || wanted.includes(EVERY_DOMAIN) ? undefined : [...wanted].sort();
}

/** What a schema cannot say of a TrustDomain's spec. */
export function trustDomainProblems({ clusters, source, federatesWith, aliases }: TrustDomainSpec): readonly SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  const at = (steps: readonly (string | number)[], message: string): void => {
    problems.push({ steps, code: 'FieldValueInvalid', message });
  };
  if (federatesWith !== undefined && federatesWith.length > 1 && federatesWith.includes(EVERY_DOMAIN))
    at(['federatesWith'], 'has * and names beside it: * is every trust domain');
  if (source?.type === 'external') {
    if (source.endpoint === undefined && source.bootstrapBundle === undefined)
      at(['source', 'endpoint'], 'is required for an external trust domain, or a bootstrapBundle that stays as it is');
    if (clusters !== undefined) at(['clusters'], 'are members of the federation: an external trust domain has none');
    if (source.endpoint !== undefined) problems.push(...endpointProblems(source.endpoint, source.bootstrapBundle));
  } else if (source?.endpoint !== undefined || source?.bootstrapBundle !== undefined) {
    at(
      ['source', source.endpoint === undefined ? 'bootstrapBundle' : 'endpoint'],
      `is for source.type external alone, and this is ${source.type}`,
    );
  }
  if (aliases?.includes(DEFAULT_TRUST_DOMAIN) === true) at(['aliases'], `hold ${DEFAULT_TRUST_DOMAIN}, which is no trust domain`);
  return problems;
}

function endpointProblems(endpoint: BundleEndpoint, bootstrapBundle: string | undefined): readonly SchemaProblem[] {
  const at = (field: string, message: string): SchemaProblem => ({
    steps: ['source', 'endpoint', field],
    code: 'FieldValueInvalid',
    message,
  });
  const problems: SchemaProblem[] = URL.canParse(endpoint.url) ? [] : [at('url', `is ${endpoint.url}, which is no URL`)];
  if (endpoint.profile === 'https_web') {
    if (endpoint.endpointSpiffeId !== undefined) problems.push(at('endpointSpiffeId', 'is for the profile https_spiffe'));
    return problems;
  }
  if (endpoint.caBundle !== undefined) problems.push(at('caBundle', 'is for the profile https_web'));
  if (endpoint.endpointSpiffeId === undefined)
    problems.push({ ...at('endpointSpiffeId', 'is required for the profile https_spiffe'), code: 'FieldValueRequired' });
  if (bootstrapBundle === undefined)
    problems.push({
      steps: ['source', 'bootstrapBundle'],
      code: 'FieldValueRequired',
      message: 'is required for the profile https_spiffe: the first answer is verified by it',
    });
  return problems;
}
