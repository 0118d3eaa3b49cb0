/** `POST /hawser/v1/proxies/CLUSTER/PROXY/explain-route`: asks the cluster's agent what becomes of a request at the proxy. */
import { AppError } from '@hawser/runtime/app-error.ts';
import { ExplainRouteRequest, ExplainRouteResponse, type RouteExplanation } from '@hawser/wire/messages.ts';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type AskParts, askAgent } from './ask-agent.ts';

const Params = Type.Object({ cluster: Type.String(), proxy: Type.String({ minLength: 1, maxLength: 253 }) });
const { method, url, headers } = ExplainRouteRequest.properties;
const Body = Type.Object({ method, url, headers }, { additionalProperties: false });
const response = Compile(ExplainRouteResponse);
const isAnswer = (value: unknown): value is ExplainRouteResponse => response.Check(value);
const METHOD = 'explain-route';
const TIMEOUT_MS = 10_000;

/** Adds the route. */
export function explainRouteRoutes(app: FastifyInstance, parts: AskParts): void {
  app.post<{ Params: Static<typeof Params>; Body: Static<typeof Body> }>(
    '/hawser/v1/proxies/:cluster/:proxy/explain-route',
    { schema: { params: Params, body: Body } },
    async ({ params: { cluster, proxy }, body }): Promise<RouteExplanation> => {
      if (parts.context.fleet.cluster(cluster) === undefined)
        throw new AppError('cluster-unknown', `there is no cluster ${cluster}: hawser cluster list shows them`, { status: 404 });
      const replica = parts.context.accounts.replicaOf(cluster, proxy);
      const question = { cluster, replica, method: METHOD, body: { proxy, ...body }, timeoutMs: TIMEOUT_MS, isAnswer };
      const answer = await askAgent(parts, question);
      if ('error' in answer) throw new AppError('route-unknown', answer.error, { status: 404 });
      return answer;
    },
  );
}
