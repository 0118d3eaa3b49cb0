/** Questions to an agent over the bus, signed by the hub. */
import type { Bus } from '@hawser/bus/bus.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { HUB, PROTOCOL, seal } from '@hawser/wire/envelope.ts';
import type { Signer } from '@hawser/wire/signing.ts';
import { rpcSubject } from '@hawser/wire/subjects.ts';
import type { FleetContext } from './fleet-context.ts';

/** What asking needs. */
export interface AskParts {
  readonly context: FleetContext;
  readonly bus: Bus;
  readonly signer: Signer;
}

/** One question. */
export interface Question<Answer> {
  readonly cluster: string;
  /** One of the cluster's agents; without it, whichever answers first. */
  readonly replica?: string | undefined;
  readonly method: string;
  readonly body: unknown;
  readonly timeoutMs: number;
  readonly isAnswer: (value: unknown) => value is Answer;
}

let askedAt = 0;

/** The time in milliseconds, never the same twice: an agent takes two equal questions for a replay. */
function nextMoment(now: number): number {
  askedAt = Math.max(askedAt + 1, now);
  return askedAt;
}

/** The agent's answer. Throws `agent-unreachable` (503) when none comes in time, `agent-answer` (502) when it is no answer. */
export async function askAgent<Answer>(parts: AskParts, question: Question<Answer>): Promise<Answer> {
  const { cluster, replica, method, body, timeoutMs, isAnswer } = question;
  const head = { protocol: PROTOCOL, from: HUB, to: cluster, key: method, part: 0, parts: 1 };
  const epoch = Math.max(1, parts.context.distribution.desired?.epoch ?? 1);
  const request = seal({ ...head, epoch, revision: nextMoment(parts.context.now()), body }, parts.signer);
  try {
    const reply = await parts.bus.request(rpcSubject(cluster, method, replica), request, { timeoutMs });
    const answer: unknown = JSON.parse(Buffer.from(reply.bytes).toString('utf8'));
    if (isAnswer(answer)) return answer;
  } catch (error) {
    throw new AppError('agent-unreachable', `the agent of ${cluster} did not answer: ${messageOf(error)}`, { status: 503, cause: error });
  }
  throw new AppError('agent-answer', `the agent of ${cluster} answered with something that is no answer to ${method}`, { status: 502 });
}
