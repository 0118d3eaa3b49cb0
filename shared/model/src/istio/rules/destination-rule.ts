/** What a DestinationRule must be beyond its shape. Pure. */
import { hostKey, parseServiceHost } from '../../service-host.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { DestinationRuleSpec, DestinationRuleTrafficPolicy } from '../specs.ts';
import { invalid, labelProblems, type Steps } from './checks.ts';
import { trafficPolicyProblems } from './traffic-policy.ts';
import { type TlsTarget, unselectedCredential } from './upstream-tls.ts';

/** Every problem; paths are below the spec. */
export function destinationRuleProblems(spec: DestinationRuleSpec, namespace: string): readonly SchemaProblem[] {
  const subsets = spec.subsets ?? [];
  const problems: SchemaProblem[] =
    spec.host === undefined
      ? [{ steps: ['host'], code: 'FieldValueRequired', message: 'is required' }]
      : [...namesNothing(spec.host, namespace)];
  const target = targetOf(spec.host, namespace);
  problems.push(...trafficPolicyProblems(['trafficPolicy'], spec.trafficPolicy, target));
  for (const [index, subset] of subsets.entries()) {
    const at = ['subsets', index];
    if (subsets.findIndex((other) => other.name === subset.name) !== index) {
      problems.push({ steps: [...at, 'name'], code: 'FieldValueDuplicate', message: `there is a subset ${subset.name} already` });
    }
    if (!/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(subset.name)) {
      problems.push(invalid([...at, 'name'], 'must be at most 63 letters, digits, "-", "_" and "."'));
    }
    problems.push(...labelProblems([...at, 'labels'], subset.labels));
    problems.push(...trafficPolicyProblems([...at, 'trafficPolicy'], subset.trafficPolicy, target));
  }
  problems.push(...labelProblems(['workloadSelector', 'matchLabels'], spec.workloadSelector?.matchLabels));
  return spec.workloadSelector === undefined ? [...problems, ...credentialProblems(spec)] : problems;
}

/** Secrets are named by rules that say whose they are. */
function credentialProblems({ trafficPolicy, subsets = [] }: DestinationRuleSpec): readonly SchemaProblem[] {
  const policies: [Steps, DestinationRuleTrafficPolicy | undefined][] = [
    [['trafficPolicy'], trafficPolicy],
    ...subsets.map(({ trafficPolicy: own }, index): [Steps, typeof own] => [['subsets', index, 'trafficPolicy'], own]),
  ];
  return policies.flatMap(([steps, policy]) => [
    ...unselectedCredential(steps, policy?.tls),
    ...(policy?.portLevelSettings ?? []).flatMap(({ tls }, index) => unselectedCredential([...steps, 'portLevelSettings', index], tls)),
  ]);
}

function namesNothing(host: string, namespace: string): readonly SchemaProblem[] {
  if (hostKey(host, namespace) !== undefined) return [];
  return [
    invalid(['host'], `is ${JSON.stringify(host)}, which is no host: write a service, a host name, or a wildcard such as *.example.com`),
  ];
}

/** `httpbin.org` is as good a name as `reviews.bookinfo`: which of both there is, the proxies' agents know. */
function targetOf(host = '', namespace: string): TlsTarget {
  if (host.includes('*')) return 'any';
  if (parseServiceHost(host, namespace) === undefined) return 'external';
  return host.split('.').length === 2 ? 'any' : 'mesh';
}
