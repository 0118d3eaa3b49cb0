/** How a proxy leaves without losing a request: others are told first, then its clients, and it goes when nothing is in progress. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import { requireLoopback } from '@hawser/runtime/plain-listener.ts';
import { ACTIVE_FILTER, activeRequests } from './active-requests.ts';
import { call, type EnvoyAdmin } from './envoy-admin.ts';

/** What a drain needs to know. Times in milliseconds. */
export interface DrainOptions {
  readonly envoy: EnvoyAdmin;
  /** Tells the agent; resolves with the time it takes the other clusters to learn it. */
  readonly tellAgent: () => Promise<number>;
  /** Least time between asking clients to leave and stopping. */
  readonly minimumMs: number;
  /** Most time spent waiting for requests in progress. */
  readonly maximumMs: number;
  /** Whether what leads out is of callers that stay, as at an outbound gateway. */
  readonly forOthers?: boolean;
  readonly say: (text: string) => void;
  /** Ends all waiting at once (a second signal, or Envoy gone). */
  readonly signal: AbortSignal;
}

/** What the drain came to: requests still in progress when the time was over (0: a clean end). */
export interface DrainResult {
  readonly left: number;
}

const POLL_MS = 100;

/** Runs the whole sequence up to, and without, stopping Envoy. Failures of single steps are said and passed over: the process is ending. */
export async function drain(options: DrainOptions): Promise<DrainResult> {
  const { envoy, say, signal } = options;
  await tellOthers(options);
  if (signal.aborted) return { left: 0 };
  try {
    await envoy.startDraining();
  } catch (error) {
    say(`Envoy was not told to drain: ${messageOf(error)}`);
  }
  const result = await waitUntilIdle(options);
  if (result.left > 0 && !signal.aborted) say(`stopping with ${result.left} in progress after ${options.maximumMs} ms`);
  return result;
}

/** Clients of other clusters stop choosing this proxy once their agents have the endpoint as DRAINING. */
async function tellOthers({ tellAgent, say, signal }: DrainOptions): Promise<void> {
  try {
    const settleMs = await tellAgent();
    say(`the agent took note of the drain; others have ${settleMs} ms to learn it`);
    await sleep(settleMs, signal);
  } catch (error) {
    say(`the agent was not told of the drain, going on without: ${messageOf(error)}`);
  }
}

async function waitUntilIdle({ envoy, minimumMs, maximumMs, forOthers, signal }: DrainOptions): Promise<DrainResult> {
  const started = performance.now();
  let left = 0;
  while (!signal.aborted) {
    const passed = performance.now() - started;
    try {
      left = activeRequests(await envoy.stats(ACTIVE_FILTER), forOthers);
    } catch {
      // An admin interface that does not answer tells nothing: wait on, as long as allowed.
    }
    if (passed >= maximumMs || (left === 0 && passed >= minimumMs)) break;
    await sleep(POLL_MS, signal);
  }
  return { left };
}

/** Time others need when the agent does not say: a shard travels in milliseconds, a busy machine gets a second more. */
const DEFAULT_SETTLE_MS = 2000;
const MAX_SETTLE_MS = 10_000;

/**
 * `POST /proxies/drain` at the agent's admin address, by the proxy's own token; one second. Its answer may say `settleMs`. Of several
 * agents, separated by commas, the first that listens tells the others.
 */
export async function tellAgentOfDrain(agentAdmin: string, token: string, proxy: Readonly<Record<string, string>>): Promise<number> {
  const [first = '', ...others] = agentAdmin.split(',');
  try {
    return await tellOne(first, token, proxy);
  } catch (error) {
    if (others.length === 0) throw error;
    return tellAgentOfDrain(others.join(), token, proxy);
  }
}

async function tellOne(agentAdmin: string, token: string, proxy: Readonly<Record<string, string>>): Promise<number> {
  const { hostname } = new URL(`http://${agentAdmin}`);
  requireLoopback(hostname, "the agent's admin address", { wayOut: 'its door has no TLS' });
  const { status, body } = await call({
    method: 'POST',
    url: `http://${agentAdmin}/proxies/drain`,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(proxy),
    timeoutMs: 1000,
  });
  if (status < 200 || status > 299) throw new Error(`${agentAdmin} answered ${status} ${body.slice(0, 200)}`);
  return settleMsOf(body);
}

function settleMsOf(body: string): number {
  try {
    const answer: unknown = JSON.parse(body);
    const wanted = answer !== null && typeof answer === 'object' && 'settleMs' in answer ? Number(answer.settleMs) : Number.NaN;
    return Number.isFinite(wanted) && wanted >= 0 ? Math.min(wanted, MAX_SETTLE_MS) : DEFAULT_SETTLE_MS;
  } catch {
    return DEFAULT_SETTLE_MS;
  }
}
