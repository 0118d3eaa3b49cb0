/** `GET /hawser/v1/access/strict-readiness`: asks every agent who still calls its sidecars in plain. */
import { parseDuration } from '@hawser/model/duration.ts';
import { DnsLabel, GoDuration } from '@hawser/model/kind-specs.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { PlainCallersResponse, StrictReadinessAnswer } from '@hawser/wire/strict-readiness.ts';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type AskParts, askAgent } from './ask-agent.ts';
import { type ClusterAccounts, strictReadiness } from './strict-readiness.ts';

const Query = Type.Object(
  {
    namespace: Type.Optional({ ...DnsLabel, description: 'of the workloads that are called; all unless given' }),
    window: Type.Optional({ ...GoDuration, description: 'how long nobody may have called in plain, 1s to 1h; 1h unless given' }),
  },
  { additionalProperties: false },
);
const response = Compile(PlainCallersResponse);
const isAnswer = (value: unknown): value is PlainCallersResponse => response.Check(value);
const METHOD = 'plain-callers';
const TIMEOUT_MS = 5_000;
const LONGEST_MS = 3_600_000;

interface Asked {
  readonly windowMs: number;
  readonly namespace?: string | undefined;
}

/** Adds the route. */
export function strictReadinessRoutes(app: FastifyInstance, parts: AskParts): void {
  app.get<{ Querystring: Static<typeof Query> }>(
    '/hawser/v1/access/strict-readiness',
    { schema: { querystring: Query, response: { 200: StrictReadinessAnswer } } },
    async ({ query: { namespace, window = '1h' } }): Promise<StrictReadinessAnswer> => {
      const windowMs = parseDuration(window) ?? Number.NaN;
      if (!(windowMs >= 1_000 && windowMs <= LONGEST_MS))
        throw new AppError('window', `window: ${window} is not between 1s and 1h: agents remember the last hour`, { status: 400 });
      const asked: Asked = { windowMs: Math.round(windowMs), ...(namespace === undefined ? {} : { namespace }) };
      const clusters = parts.context.fleet.clusters().map(({ member }) => member.name);
      return strictReadiness(await Promise.all(clusters.map((cluster) => askCluster(parts, cluster, asked))), asked.windowMs);
    },
  );
}

/** Every agent of the cluster, for each knows its own sidecars. Those that do not answer leave what they know unknown. */
async function askCluster(parts: AskParts, cluster: string, body: Asked): Promise<ClusterAccounts> {
  const freshness = parts.context.fleet.freshness(cluster);
  if (freshness !== 'KNOWN')
    return { cluster, accounts: [], problem: `its agent is ${freshness === 'STALE' ? 'silent' : 'not known yet'}` };
  const replicas = parts.context.accounts.replicas(cluster).map(({ status }) => status?.instance);
  const accounts: ClusterAccounts['accounts'][number][] = [];
  const problems: string[] = [];
  const ask = async (replica: string | undefined): Promise<void> => {
    try {
      const answer = await askAgent(parts, { cluster, replica, method: METHOD, body, timeoutMs: TIMEOUT_MS, isAnswer });
      if ('error' in answer) problems.push(answer.error);
      else accounts.push(answer);
    } catch (error) {
      problems.push(messageOf(error));
    }
  };
  await Promise.all((replicas.length === 0 ? [undefined] : replicas).map(ask));
  return { cluster, accounts, ...(problems.length === 0 ? {} : { problem: problems.join('; ') }) };
}
