/** PURE: a run in short, for trends and for lists. */
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import { parseDuration } from '@hawser/model/duration.ts';
import type { TrendEntry } from '@hawser/wire/drill-report.ts';

/** How long reports are kept when the drill does not say, milliseconds. */
export const DEFAULT_RETENTION_MS = 9_600 * 3_600_000;

/** What is shown of a run beside others. */
export function reportSummary(evidence: DrillEvidence): Omit<TrendEntry, 'digest'> {
  const { run, createdAt, endedAt, mode, outcome, why, timings, objectives, services } = evidence;
  const gaps = services.flatMap(({ longestGapMs }) => longestGapMs ?? []);
  return {
    ...{ run, requestedAt: createdAt, endedAt, mode, outcome, why },
    rtoMs: timings.rtoMs,
    rtoTargetMs: objectives.find(({ name }) => name === 'rto')?.target ?? null,
    requests: services.reduce((sum, { requests }) => sum + requests, 0),
    failed: services.reduce((sum, { failed }) => sum + failed, 0),
    longestGapMs: gaps.length === 0 ? null : Math.max(...gaps),
  };
}

/** Until when a report is kept. */
export function keepUntil({ spec, endedAt }: DrillEvidence): Date {
  const { report } = spec as { readonly report?: { readonly retention?: unknown } };
  const retention = typeof report?.retention === 'string' ? parseDuration(report.retention) : undefined;
  return new Date(Date.parse(endedAt) + (retention ?? DEFAULT_RETENTION_MS));
}
