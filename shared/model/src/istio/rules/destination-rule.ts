/** What a DestinationRule must be beyond its shape. Pure. */
import type { SchemaProblem } from '../../validate-schema.ts';
import type { DestinationRuleSpec } from '../specs.ts';
import { hostProblems, invalid, labelProblems } from './checks.ts';

/** Every problem; paths are below the spec. */
export function destinationRuleProblems(spec: DestinationRuleSpec, namespace: string): readonly SchemaProblem[] {
  const subsets = spec.subsets ?? [];
  const problems: SchemaProblem[] =
    spec.host === undefined
      ? [{ steps: ['host'], code: 'FieldValueRequired', message: 'is required' }]
      : [...hostProblems(['host'], spec.host, namespace)];
  for (const [index, subset] of subsets.entries()) {
    const at = ['subsets', index];
    if (subsets.findIndex((other) => other.name === subset.name) !== index) {
      problems.push({ steps: [...at, 'name'], code: 'FieldValueDuplicate', message: `there is a subset ${subset.name} already` });
    }
    if (!/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(subset.name)) {
      problems.push(invalid([...at, 'name'], 'must be at most 63 letters, digits, "-", "_" and "."'));
    }
    problems.push(...labelProblems([...at, 'labels'], subset.labels));
  }
  return problems;
}
