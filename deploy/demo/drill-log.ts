/** What a drill says of itself beside what an independent client saw of the same run. Pure. */
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import { failed, type LoadEntry } from './load-log.ts';

/** The same figures of both. */
export interface ComparedDrill {
  /** Recovery time by the drill, and by the log from the same moment on, milliseconds; NaN: none was reached. */
  readonly rtoMs: number;
  readonly logRtoMs: number;
  /**
   * How much later the log has it, beyond what the drill says itself that its time may be off, milliseconds. Earlier it may be:
   * a drill sees more callers than one.
   */
  readonly rtoErrorMs: number;
  /** Requests that failed from its beginning until everything was as before. */
  readonly failed: number;
  readonly logFailed: number;
}

/** The figures of a drill that takes the cluster `lost` away, and of the client that called its service. */
export function compareWithLog(
  { phases, timings, services, endedAt }: DrillEvidence,
  log: readonly LoadEntry[],
  lost: string,
): ComparedDrill {
  const at = (name: string): number => Date.parse(phases.find(({ phase }) => phase === name)?.from ?? '');
  const begun = at('Injecting') + (timings.injectMs ?? 0);
  const ended = (from: number, to: number): LoadEntry[] => log.filter(({ t, ms }) => t + ms >= from && t + ms < to);
  const rtoMs = timings.rtoMs ?? Number.NaN;
  const bad = ended(begun, at('Restoring')).filter((one) => failed(one) || one.cluster === lost);
  const logRtoMs = Math.max(begun, ...bad.map(({ t, ms }) => t + ms)) - begun;
  return {
    ...{ rtoMs, logRtoMs, rtoErrorMs: Math.max(0, logRtoMs - rtoMs - (timings.rtoResolutionMs ?? 0)) },
    failed: services.reduce((sum, one) => sum + one.failed, 0),
    logFailed: ended(at('Injecting'), Date.parse(endedAt)).filter(failed).length,
  };
}
