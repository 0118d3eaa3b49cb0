/** DestinationRules that name Secrets which the registry does not have, or not whole. Pure. */
import type { DestinationRuleSpec, DestinationRuleTrafficPolicy } from '@hawser/model/istio/specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { Credentials } from '../state/credential.ts';
import { policyKeyOf } from './policy-tables.ts';
import type { RuleProblem } from './routes/rule-problems.ts';
import type { TlsRule } from './upstreams/traffic-policy.ts';

/** What of the rules in force is not done as written: without its Secret no connection of theirs comes about. */
export function credentialProblems(policies: ReadonlyMap<string, Resource>, credentials: Credentials): RuleProblem[] {
  return [...policies.values()]
    .filter(({ kind }) => kind === 'DestinationRule')
    .flatMap((rule) => {
      const { trafficPolicy, subsets = [] } = (rule.spec ?? {}) as DestinationRuleSpec;
      const named = [
        ...tlsRules('spec.trafficPolicy', trafficPolicy),
        ...subsets.flatMap((subset, index) => tlsRules(`spec.subsets[${index}].trafficPolicy`, subset.trafficPolicy)),
      ];
      return named.flatMap(({ field, tls }) => {
        const message = problemOf(tls, rule.metadata.namespace ?? '', credentials);
        return message === undefined ? [] : [{ policy: policyKeyOf(rule), field: `${field}.credentialName`, message }];
      });
    });
}

interface NamedTls {
  readonly field: string;
  readonly tls: TlsRule;
}

function tlsRules(field: string, policy: DestinationRuleTrafficPolicy | undefined): NamedTls[] {
  const ports = (policy?.portLevelSettings ?? []).map(({ tls }, index) => ({ field: `${field}.portLevelSettings[${index}].tls`, tls }));
  return [{ field: `${field}.tls`, tls: policy?.tls }, ...ports].flatMap(({ field: at, tls }) =>
    tls === undefined ? [] : [{ field: at, tls }],
  );
}

/** The way out is one: a Secret of the rule's namespace that has what is missing. */
function problemOf(
  { mode, credentialName = '', insecureSkipVerify }: TlsRule,
  namespace: string,
  credentials: Credentials,
): string | undefined {
  if (credentialName === '' || (mode !== 'SIMPLE' && mode !== 'MUTUAL')) return undefined;
  const key = `${namespace}/${credentialName}`;
  const [own, authorities] = [credentials.get(key), credentials.get(`${key}-cacert`)];
  if (own === undefined && (mode === 'MUTUAL' || authorities === undefined)) return `there is no Secret ${key}: ${OUTCOME}`;
  const why = own?.problem === undefined ? '' : ` (${own.problem})`;
  if (mode === 'MUTUAL' && own?.keyPair === undefined) return `the Secret ${key} has no tls.crt and tls.key${why}: ${OUTCOME}`;
  const isBelieved = insecureSkipVerify === true || [own, authorities].some((one) => one?.authorities !== undefined);
  return isBelieved ? undefined : `neither the Secret ${key} nor ${key}-cacert has a ca.crt${why}: ${OUTCOME}`;
}

const OUTCOME = 'calls by this rule fail until it is there';
