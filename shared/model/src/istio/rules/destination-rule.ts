/** What a DestinationRule must be beyond its shape. Pure. */
import { hostKey, parseServiceHost } from '../../service-host.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { DestinationRuleSpec } from '../specs.ts';
import { invalid, labelProblems } from './checks.ts';
import { trafficPolicyProblems } from './traffic-policy.ts';
import type { TlsTarget } from './upstream-tls.ts';

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
  return problems;
}

function namesNothing(host: string, namespace: string): readonly SchemaProblem[] {
  if (hostKey(host, namespace) !== undefined) return [];
  return [
    invalid(['host'], `is ${JSON.stringify(host)}, which is no host: write a service, a host name, or a wildcard such as *.example.com`),
  ];
}

function targetOf(host: string | undefined, namespace: string): TlsTarget {
  if (host?.includes('*') === true) return 'any';
  return parseServiceHost(host ?? '', namespace) === undefined ? 'external' : 'mesh';
}
