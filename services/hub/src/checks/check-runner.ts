/** Runs checks: takes their samples and keeps what they say. */
import { type Check, type CheckSpec, checkOf, conditionOf } from '@hawser/model/check.ts';
import { afterSample, type CheckState, type Measurement, sampleOf, unchecked } from '@hawser/model/check-verdict.ts';
import type { MeasuredTraffic } from '@hawser/model/measured-traffic.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { Integrations } from '../outgoing/integrations.ts';
import { askHttp } from './http-source.ts';
import { type CheckSubject, measureTraffic } from './hub-source.ts';
import { askPrometheus } from './prometheus-source.ts';

/** What checks are made with. */
export interface CheckContext {
  readonly traffic: MeasuredTraffic;
  readonly integrations: Pick<Integrations, 'prometheus'>;
  /** Whether http checks may ask at addresses that are not of the public Internet. */
  readonly allowPrivate: boolean;
  readonly subject: CheckSubject;
  /** Called after every sample. It must not throw. */
  readonly onSample?: () => void;
}

/** Checks under way. */
export interface RunningChecks {
  /** In the order in which they were given. */
  verdicts(): readonly CheckState[];
  /** Ends all that is under way; after it there are no samples. */
  stop(): void;
}

/** A second in which nothing was measured anywhere is no reason yet to know nothing. */
const STALL_MS = 5_000;

/**
 * Starts checks that were validated (`checkProblems`); every hub replica may run them, the leader's count. Those that are among `begun`,
 * by name, go on from there, and without their delay where a sample was taken.
 */
export function startChecks(specs: readonly CheckSpec[], context: CheckContext, begun: readonly CheckState[] = []): RunningChecks {
  const aborter = new AbortController();
  const states = specs.map((spec) => begun.find(({ name }) => name === spec.name) ?? unchecked(checkOf(spec)));
  for (const [index, spec] of specs.entries()) {
    const take = (next: (state: CheckState) => CheckState): void => {
      const state = states[index];
      if (aborter.signal.aborted || state === undefined) return;
      states[index] = next(state);
      context.onSample?.();
    };
    const isBegun = (states[index]?.taken ?? 0) > 0;
    void runCheck(spec, { context, take, isBegun, signal: aborter.signal });
  }
  return { verdicts: () => [...states], stop: () => aborter.abort() };
}

interface Run {
  readonly context: CheckContext;
  readonly take: (next: (state: CheckState) => CheckState) => void;
  readonly isBegun: boolean;
  readonly signal: AbortSignal;
}

async function runCheck(spec: CheckSpec, { context, take, isBegun, signal }: Run): Promise<void> {
  const check = checkOf(spec);
  const condition = conditionOf(spec);
  const measure = sourceOf(check, context, signal);
  if (!isBegun) await sleep(check.initialDelayMs, signal);
  while (!signal.aborted) {
    const begun = performance.now();
    const measured = await measure().catch((error: unknown): Measurement => ({ error: messageOf(error).slice(0, 300) }));
    if (measured !== undefined) take((state) => afterSample(check, state, sampleOf(check, condition, measured, new Date().toISOString())));
    await sleep(Math.max(0, check.intervalMs - (performance.now() - begun)), signal);
  }
}

/** How a check's number is had; undefined: nothing has happened since the last time. */
function sourceOf(check: Check, context: CheckContext, signal: AbortSignal): () => Promise<Measurement | undefined> {
  const { source, timeoutMs } = check;
  if ('hub' in source) return hubSource(source.hub, check, context);
  if ('http' in source) return () => askHttp(source.http.url, { timeoutMs, signal, allowPrivate: context.allowPrivate });
  const { query, datasource = 'default' } = source.prometheus;
  return async () => {
    const server = context.integrations.prometheus.get(datasource);
    return server === undefined ? { error: notConfigured(datasource, context) } : askPrometheus(server, query, { timeoutMs, signal });
  };
}

/** The same second is not counted again, however often it is looked at. */
function hubSource(source: Parameters<typeof measureTraffic>[1], { windowMs }: Check, { traffic, subject }: CheckContext) {
  let last: number | undefined;
  let movedAt = performance.now();
  return async (): Promise<Measurement | undefined> => {
    const until = traffic.knownUntil();
    const isStalled = performance.now() - movedAt >= STALL_MS;
    if (until === last && !isStalled) return undefined;
    movedAt = performance.now();
    if (until === last) return { noData: `nothing was measured anywhere for ${STALL_MS / 1000} s` };
    last = until;
    return measureTraffic(traffic, source, { windowMs, subject });
  };
}

function notConfigured(datasource: string, { integrations }: CheckContext): string {
  const names = [...integrations.prometheus.keys()];
  const known = names.length === 0 ? 'it knows none' : `it knows ${names.join(', ')}`;
  return `the hub was not configured with a Prometheus server called ${datasource}, and ${known} (hawser hub run --integrations FILE)`;
}
