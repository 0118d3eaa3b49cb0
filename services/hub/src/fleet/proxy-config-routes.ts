/** `GET /hawser/v1/proxies/CLUSTER/PROXY/config/SECTION`: asks the cluster's agent, with the hub's signature. */
import { AppError } from '@hawser/runtime/app-error.ts';
import { ProxyConfigRequest, ProxyConfigResponse } from '@hawser/wire/messages.ts';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type AskParts, askAgent } from './ask-agent.ts';

const Params = Type.Object({
  cluster: Type.String(),
  proxy: Type.String({ minLength: 1, maxLength: 253 }),
  section: ProxyConfigRequest.properties.section,
});
const response = Compile(ProxyConfigResponse);
const isAnswer = (value: unknown): value is ProxyConfigResponse => response.Check(value);
const METHOD = 'proxy-config';
const TIMEOUT_MS = 5000;

/** Adds the route. */
export function proxyConfigRoutes(app: FastifyInstance, parts: AskParts): void {
  app.get<{ Params: Static<typeof Params> }>(
    '/hawser/v1/proxies/:cluster/:proxy/config/:section',
    { schema: { params: Params } },
    async ({ params: { cluster, proxy, section } }) => {
      if (parts.context.fleet.cluster(cluster) === undefined)
        throw new AppError('cluster-unknown', `there is no cluster ${cluster}: hawser cluster list shows them`, { status: 404 });
      const replica = parts.context.accounts.replicaOf(cluster, proxy);
      const answer = await askAgent(parts, { cluster, replica, method: METHOD, body: { proxy, section }, timeoutMs: TIMEOUT_MS, isAnswer });
      if ('error' in answer) throw new AppError('proxy-unknown', answer.error, { status: 404 });
      return answer;
    },
  );
}
