/** Who may call, and by which proof: policy that lets in other callers than it seems to, or nobody. */
import { ROOT_NAMESPACE } from '../../effective-policy.ts';
import type { AuthorizationPolicySpec, PeerAuthenticationSpec, RequestAuthenticationSpec } from '../../istio/specs.ts';
import { DEFAULT_TRUST_DOMAIN, EVERY_DOMAIN, federates, federationOf, type TrustDomainSpec } from '../../trust-domain.ts';
import { type Finding, finding } from '../finding.ts';
import type { Subject } from '../subject.ts';
import { byAge, type World } from '../world.ts';

type Authorization = Subject<AuthorizationPolicySpec>;

/** Istio's word for the own trust domain, whatever it is. */
const OWN_DOMAIN = 'cluster.local';

/** HW1101, HW1102, HW1103, HW1104. */
export function authorizationCallers(subject: Authorization, world: World): Finding[] {
  return [...strangers(subject, world), ...ownDomainAlone(subject, world), ...nobody(subject), ...unverifiedTokens(subject, world)];
}

/** HW1105: Istio lets requests without any token pass. */
export function optionalTokens(subject: Subject<RequestAuthenticationSpec>, world: World): Finding[] {
  const rules = world.of<AuthorizationPolicySpec>('AuthorizationPolicy');
  const demands = rules.some((policy) => maybeSameWorkloads(policy, subject) && tokenFields(policy).length > 0);
  if (demands || (subject.spec.jwtRules ?? []).length === 0) return [];
  const said = 'no AuthorizationPolicy for these workloads asks for a token: requests without one pass';
  return [finding('HW1105', { at: subject, field: 'spec.jwtRules' }, said)];
}

/** HW1106: of several of one reach the oldest alone counts. */
export function competingModes(subject: Subject<PeerAuthenticationSpec>, world: World): Finding[] {
  const reach = ({ spec }: Subject<PeerAuthenticationSpec>): string =>
    JSON.stringify(Object.entries(spec.selector?.matchLabels ?? {}).sort());
  const first = world
    .of<PeerAuthenticationSpec>('PeerAuthentication')
    .filter((other) => other.namespace === subject.namespace && reach(other) === reach(subject) && byAge(other, subject) < 0)
    .sort(byAge)[0];
  if (first === undefined) return [];
  const field = subject.spec.selector === undefined ? 'spec' : 'spec.selector';
  return [finding('HW1106', { at: subject, field }, `${first.key} is for the same workloads; it is older and alone counts`)];
}

/** HW1107, HW1108. */
export function federationFindings(subject: Subject<TrustDomainSpec>, world: World): Finding[] {
  const known = knownDomains(world);
  if (known === undefined || subject.name === DEFAULT_TRUST_DOMAIN) return [];
  const domains = world.of<TrustDomainSpec>('TrustDomain');
  return (subject.spec.federatesWith ?? []).flatMap((other, index) => {
    const field = `spec.federatesWith[${index}]`;
    if (other === EVERY_DOMAIN || other === subject.name) return [];
    if (!known.has(other)) return [finding('HW1107', { at: subject, field }, `no cluster and no TrustDomain has ${other}`)];
    if (federates({ trustDomain: other, federatesWith: federationOf(other, domains) }, subject.name)) return [];
    return [finding('HW1108', { at: subject, field }, `${other} does not federate with ${subject.name}: calls fail in both directions`)];
  });
}

interface SourceList {
  readonly field: string;
  readonly values: readonly string[];
}

/** The lists of one name in the sources of all rules. */
function sources({ spec }: Authorization, name: 'principals' | 'notPrincipals' | 'namespaces' | 'serviceAccounts'): SourceList[] {
  return (spec.rules ?? []).flatMap(({ from = [] }, rule) =>
    from.flatMap(({ source }, index): SourceList[] => {
      const values = source?.[name];
      return values === undefined ? [] : [{ field: `spec.rules[${rule}].from[${index}].source.${name}`, values }];
    }),
  );
}

function strangers(subject: Authorization, world: World): Finding[] {
  const known = knownDomains(world);
  if (known === undefined) return [];
  return [...sources(subject, 'principals'), ...sources(subject, 'notPrincipals')].flatMap(({ field, values }) =>
    values.flatMap((value, index) => {
      const domain = /^([^/*]+)\//.exec(value.replace(/^spiffe:\/\//, ''))?.[1];
      if (domain === undefined || domain === OWN_DOMAIN || known.has(domain)) return [];
      return [finding('HW1101', { at: subject, field: `${field}[${index}]` }, `no cluster and no TrustDomain has ${domain}`)];
    }),
  );
}

/** Where every cluster has a trust domain of its own, a grant by namespace reaches less than in a mesh of Istio's. */
function ownDomainAlone(subject: Authorization, { facts }: World): Finding[] {
  if ((facts.trustDomains ?? []).length < 2 || (subject.spec.action ?? 'ALLOW') !== 'ALLOW') return [];
  const [first] = [...sources(subject, 'namespaces'), ...sources(subject, 'serviceAccounts')];
  if (first === undefined) return [];
  const message = `${first.values.join(', ')} of the own trust domain alone are let in, and not those of other clusters`;
  return [finding('HW1102', { at: subject, field: first.field }, message)];
}

function nobody(subject: Authorization): Finding[] {
  const { action = 'ALLOW', rules = [] } = subject.spec;
  if (action !== 'ALLOW' || rules.length > 0) return [];
  return [finding('HW1103', { at: subject, field: 'spec' }, 'it has no rules: unless another policy lets them in, nobody may call')];
}

function unverifiedTokens(subject: Authorization, world: World): Finding[] {
  const [field] = tokenFields(subject);
  if (field === undefined) return [];
  const verifiers = world.of<RequestAuthenticationSpec>('RequestAuthentication');
  if (verifiers.some((one) => maybeSameWorkloads(one, subject))) return [];
  return [finding('HW1104', { at: subject, field }, 'no RequestAuthentication is for these workloads: no request has a token that counts')];
}

/** Fields that ask for a token, whether it is or is not there. */
function tokenFields({ spec }: Authorization): string[] {
  return (spec.rules ?? []).flatMap(({ from = [], when = [] }, rule) => {
    const asking = from.flatMap(({ source }, index) =>
      (['requestPrincipals', 'notRequestPrincipals'] as const).flatMap((name) =>
        source?.[name] === undefined ? [] : [`spec.rules[${rule}].from[${index}].source.${name}`],
      ),
    );
    const conditions = when.flatMap(({ key }, index) => (key.startsWith('request.auth.') ? [`spec.rules[${rule}].when[${index}]`] : []));
    return [...asking, ...conditions];
  });
}

interface Targeted {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> | undefined } | undefined;
}

/** Whether there may be a workload that both are for; targetRefs are taken to mean any. */
function maybeSameWorkloads(a: Subject<Targeted>, b: Subject<Targeted>): boolean {
  if (a.namespace !== b.namespace && a.namespace !== ROOT_NAMESPACE && b.namespace !== ROOT_NAMESPACE) return false;
  const wanted = a.spec.selector?.matchLabels ?? {};
  return Object.entries(b.spec.selector?.matchLabels ?? {}).every(([label, value]) => (wanted[label] ?? value) === value);
}

/** Names and aliases of trust domains; undefined when those of the clusters are not known. */
function knownDomains(world: World): ReadonlySet<string> | undefined {
  const { trustDomains } = world.facts;
  if (trustDomains === undefined) return undefined;
  const written = world.of<TrustDomainSpec>('TrustDomain').flatMap(({ name, spec }) => [name, ...(spec.aliases ?? [])]);
  return new Set([...trustDomains, ...written]);
}
