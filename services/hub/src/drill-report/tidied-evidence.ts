/** PURE: evidence that can be signed whatever went into it. A run must come to its end even when some part of it said nonsense. */
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';

/** Characters of a text that are kept. */
const MOST = 4096;

/** Numbers that JSON has not got are null, texts are well formed and not too long, and what is undefined is not there. */
export function tidiedEvidence(evidence: DrillEvidence): DrillEvidence {
  return tidied(evidence) as DrillEvidence;
}

function tidied(value: unknown): unknown {
  if (typeof value === 'string') return (value.length > MOST ? `${value.slice(0, MOST - 1)}…` : value).toWellFormed();
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (Array.isArray(value)) return value.map(tidied);
  if (value === null || typeof value !== 'object') return value;
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(fields.map(([name, inner]) => [name.toWellFormed(), tidied(inner)]));
}
