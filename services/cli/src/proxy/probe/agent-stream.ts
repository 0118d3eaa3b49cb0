/** A machine's stream to one agent (`shared/wire/workload-health`), opened anew for as long as it is wanted. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import {
  WORKLOAD_HEALTH_PATH,
  type WorkloadInstruction,
  type WorkloadReport,
  workloadInstructionIn,
} from '@hawser/wire/workload-health.ts';
import { agentIdentity } from '../agent-identity.ts';
import { FrameReader, framed } from './grpc-frames.ts';

/** Whom to speak to, and as whom. */
export interface AgentStreamOptions {
  /** The agent's xDS door, `IP:PORT`. */
  readonly agent: string;
  /** PEM of the cluster's trust bundle; plain text without it. */
  readonly ca?: string | undefined;
  readonly cluster: string;
  /** The token of this moment. */
  readonly token: () => string;
  /** What to say first on every stream, and again whenever `say` is called. */
  readonly report: () => WorkloadReport;
  readonly onInstruction: (instruction: WorkloadInstruction) => void;
  readonly onProblem: (problem: string) => void;
  readonly signal: AbortSignal;
}

/** The stream. */
export interface AgentStream {
  /** The report differs now. */
  say(): void;
}

const BACKOFF = { baseMs: 500, maxMs: 10_000 };
/** A stream that lasted this long was a good one: the next attempt is the first again. */
const GOOD_MS = 30_000;
const MOST_BYTES = 64 * 1024;
/** An agent that is stopped or cut off answers no PING. */
const PING_MS = 10_000;

/** Opens it, and again whenever it ends. */
export function openAgentStream(options: AgentStreamOptions): AgentStream {
  let current: ClientHttp2Stream | undefined;
  const say = (): void => {
    if (current?.writable === true) current.write(framed(Buffer.from(JSON.stringify(options.report()))));
  };
  const run = async (): Promise<void> => {
    for (let attempt = 0; !options.signal.aborted; ) {
      const started = performance.now();
      const problem = await oneStream(options, (stream) => {
        current = stream;
        say();
      });
      current = undefined;
      if (options.signal.aborted) return;
      if (performance.now() - started > GOOD_MS) attempt = 0;
      if (attempt === 0) options.onProblem(`the agent ${options.agent} cannot be told of the workload's health: ${problem}; trying again`);
      await sleep(BACKOFF.baseMs / 2 + backoffMs(attempt, BACKOFF), options.signal);
      attempt += 1;
    }
  };
  void run();
  return { say };
}

/** Resolves with the reason when it has ended; never rejects. */
function oneStream(options: AgentStreamOptions, opened: (stream: ClientHttp2Stream) => void): Promise<string> {
  const { agent, ca, token, signal, onInstruction } = options;
  const ended = Promise.withResolvers<string>();
  const session = connect(`${ca === undefined ? 'http' : 'https'}://${agent}`, ca === undefined ? {} : tlsOptions(ca, options.cluster));
  const pings = setInterval(() => pinged(session), PING_MS).unref();
  const stop = (): void => session.destroy();
  signal.addEventListener('abort', stop, { once: true });
  session.on('error', (error) => ended.resolve(messageOf(error)));
  session.on('close', () => ended.resolve('the connection ended'));
  const stream = session.request({
    ':method': 'POST',
    ':path': WORKLOAD_HEALTH_PATH,
    ...{ 'content-type': 'application/grpc', te: 'trailers', authorization: `Bearer ${token()}` },
  });
  const frames = new FrameReader(MOST_BYTES);
  const status = (headers: Readonly<Record<string, unknown>>): void => {
    const code = headers['grpc-status'];
    if (code !== undefined) ended.resolve(`grpc-status ${String(code)} ${String(headers['grpc-message'] ?? '')}`.trim());
  };
  stream.on('response', status);
  stream.on('trailers', status);
  stream.on('error', (error) => ended.resolve(messageOf(error)));
  stream.on('end', () => ended.resolve('the agent ended it'));
  stream.on('data', (chunk: Buffer) => {
    try {
      for (const message of frames.read(chunk)) onInstruction(instructionIn(message));
    } catch (error) {
      ended.resolve(messageOf(error));
    }
  });
  opened(stream);
  return ended.promise.finally(() => {
    clearInterval(pings);
    signal.removeEventListener('abort', stop);
    session.destroy();
  });
}

function pinged(session: ClientHttp2Session): void {
  if (session.destroyed || session.connecting) return;
  const late = setTimeout(() => session.destroy(new Error('the agent answers no ping')), PING_MS).unref();
  session.ping(() => clearTimeout(late));
}

function instructionIn(message: Buffer): WorkloadInstruction {
  const instruction = workloadInstructionIn(message);
  if (instruction === undefined) throw new Error('the agent said something that this release does not know');
  return instruction;
}

/** By the cluster's own roots alone, and by the agent's exact SPIFFE ID, as Envoy checks it. */
function tlsOptions(ca: string, cluster: string): Parameters<typeof connect>[1] {
  const id = `URI:${agentIdentity(ca, cluster)}`;
  return {
    ca,
    minVersion: 'TLSv1.2',
    checkServerIdentity: (_host, { subjectaltname = '' }) =>
      subjectaltname.split(', ').includes(id) ? undefined : new Error(`it is not the agent of ${cluster}: ${subjectaltname}`),
  };
}
