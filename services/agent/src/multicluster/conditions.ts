/** Conditions as Kubernetes keeps them (API conventions, "Typical status properties"). Pure. */
import type { Condition } from './object-states.ts';

/** A condition before it is known since when it is so. */
export interface Finding {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** What meta/v1 allows. */
const MOST_CHARS = 32_768;

/**
 * The list with these findings: `lastTransitionTime` moves only where the status is another, and conditions of others stay.
 * @param now RFC 3339, whole seconds.
 */
export function withFindings(
  before: readonly Condition[],
  findings: readonly Finding[],
  { generation, now }: { readonly generation: number; readonly now: string },
): readonly Condition[] {
  const found = findings.map(({ type, status, reason, message }): Condition => {
    const known = before.find((condition) => condition.type === type);
    const since = known?.status === status ? (known.lastTransitionTime ?? now) : now;
    return { type, status, observedGeneration: generation, lastTransitionTime: since, reason, message: message.slice(0, MOST_CHARS) };
  });
  const others = before.filter(({ type }) => !findings.some((finding) => finding.type === type));
  return [...others, ...found];
}
