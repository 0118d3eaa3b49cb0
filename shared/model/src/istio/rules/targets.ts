/** What policies may target: a Service, or workloads by their labels. Pure. */
import type { SchemaProblem } from '../../validate-schema.ts';
import type { TelemetryTargetRef } from '../specs.ts';
import { invalid, type Steps } from './checks.ts';

interface Targeting {
  readonly targetRef?: TelemetryTargetRef | undefined;
  readonly targetRefs?: readonly TelemetryTargetRef[] | undefined;
  readonly selector?: object | undefined;
}

/** Sidecars are chosen by labels or by the service that they serve, which is of the policy's own namespace (Istio); the Gateway API comes later. */
export function targetProblems(spec: Targeting, own: string): readonly SchemaProblem[] {
  const all: [Steps, TelemetryTargetRef][] = (spec.targetRefs ?? []).map((ref, index) => [['targetRefs', index], ref]);
  if (spec.targetRef !== undefined) all.push([['targetRef'], spec.targetRef]);
  const problems = all.flatMap(([steps, { kind, group = '', namespace = '' }]) => {
    if (namespace !== '' && namespace !== own)
      return [
        invalid([...steps, 'namespace'], `is ${namespace}: targets are of the policy's own namespace, ${own}; write the policy there`),
      ];
    if (group !== '') return [invalid([...steps, 'group'], `is ${group}: only a Service can be a target, which is of group ""`)];
    return kind === 'Service' ? [] : [invalid([...steps, 'kind'], `is ${kind}: only a Service can be a target, group ""`)];
  });
  if (all.length > 0 && spec.selector !== undefined) problems.push(invalid(['selector'], 'and targetRefs exclude each other'));
  return problems;
}
