/** Destinations of rules and their weights. Pure. */
import { hostKey } from '../../service-host.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { Destination } from '../specs.ts';
import { invalid, rangeProblems, type Steps } from './checks.ts';

/** A weight is a part of the sum of them, whatever that is (Istio). */
export const MOST_WEIGHT = 1_000_000;

const WAY = 'write SERVICE, SERVICE.NAMESPACE or SERVICE.NAMESPACE.svc.clusterset.local';

/** Problems of where a rule leads. */
export function destinationProblems(steps: Steps, { host, port }: Destination, namespace: string): readonly SchemaProblem[] {
  const key = hostKey(host, namespace);
  const isHost = key !== undefined && !key.startsWith('*/*');
  return [
    ...(isHost ? [] : [invalid([...steps, 'host'], `is ${JSON.stringify(host)}, which no service can have: ${WAY}`)]),
    ...rangeProblems([...steps, 'port', 'number'], port?.number, [1, 65_535]),
  ];
}

/** Problems of the weights of one rule's destinations, at the list of them. */
export function weightProblems(steps: Steps, weights: readonly (number | undefined)[]): readonly SchemaProblem[] {
  if (weights.some((weight = 0) => weight < 0)) return [];
  const sum = weights.reduce((total: number, weight) => total + (weight ?? 0), 0);
  // The weight of a destination that is alone means nothing, as in Istio.
  if (weights.length > 1 && sum === 0) return [invalid(steps, 'weights add up to 0; of several destinations at least one must have one')];
  return [];
}
