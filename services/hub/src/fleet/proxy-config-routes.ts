/** `GET /hawser/v1/proxies/CLUSTER/PROXY/config/SECTION`: asks the cluster's agent, with the hub's signature. */
import type { Bus } from '@hawser/bus/bus.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { HUB, PROTOCOL, seal } from '@hawser/wire/envelope.ts';
import { ProxyConfigRequest, ProxyConfigResponse } from '@hawser/wire/messages.ts';
import type { Signer } from '@hawser/wire/signing.ts';
import { rpcSubject } from '@hawser/wire/subjects.ts';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { FleetContext } from './fleet-context.ts';

const Params = Type.Object({
  cluster: Type.String(),
  proxy: Type.String({ minLength: 1, maxLength: 253 }),
  section: ProxyConfigRequest.properties.section,
});
const response = Compile(ProxyConfigResponse);
const METHOD = 'proxy-config';
const TIMEOUT_MS = 5000;

/** What the route needs. */
export interface ProxyConfigParts {
  readonly context: FleetContext;
  readonly bus: Bus;
  readonly signer: Signer;
}

/** Adds the route. */
export function proxyConfigRoutes(app: FastifyInstance, parts: ProxyConfigParts): void {
  app.get<{ Params: Static<typeof Params> }>(
    '/hawser/v1/proxies/:cluster/:proxy/config/:section',
    { schema: { params: Params } },
    async ({ params: { cluster, proxy, section } }) => {
      if (parts.context.fleet.cluster(cluster) === undefined)
        throw new AppError('cluster-unknown', `there is no cluster ${cluster}: hawser cluster list shows them`, { status: 404 });
      const answer = await ask(parts, cluster, { proxy, section });
      if ('error' in answer) throw new AppError('proxy-unknown', answer.error, { status: 404 });
      return answer;
    },
  );
}

async function ask(parts: ProxyConfigParts, cluster: string, body: ProxyConfigRequest): Promise<ProxyConfigResponse> {
  const head = { protocol: PROTOCOL, from: HUB, to: cluster, key: METHOD, part: 0, parts: 1 };
  const epoch = Math.max(1, parts.context.distribution.desired?.epoch ?? 1);
  const request = seal({ ...head, epoch, revision: parts.context.now(), body }, parts.signer);
  try {
    const reply = await parts.bus.request(rpcSubject(cluster, METHOD), request, { timeoutMs: TIMEOUT_MS });
    const answer: unknown = JSON.parse(Buffer.from(reply.bytes).toString('utf8'));
    if (response.Check(answer)) return answer;
  } catch (error) {
    throw new AppError('agent-unreachable', `the agent of ${cluster} did not answer: ${messageOf(error)}`, { status: 503, cause: error });
  }
  throw new AppError('agent-answer', `the agent of ${cluster} answered with something that is no proxy configuration`, { status: 502 });
}
