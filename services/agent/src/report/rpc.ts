/** Answers the hub's questions. Only the hub's own key is obeyed, and each question is answered once. */
import type { Bus, BusSubscription } from '@hawser/bus/bus.ts';
import { DRILL_LEASE, DrillLeaseRequest, type DrillLeaseResponse } from '@hawser/wire/drill-lease.ts';
import { HUB, open } from '@hawser/wire/envelope.ts';
import {
  DiffRequest,
  type DiffResponse,
  ExplainRouteRequest,
  type ExplainRouteResponse,
  ProxyConfigRequest,
} from '@hawser/wire/messages.ts';
import type { Verifier } from '@hawser/wire/signing.ts';
import { PlainCallersRequest, type PlainCallersResponse } from '@hawser/wire/strict-readiness.ts';
import { rpcSubject } from '@hawser/wire/subjects.ts';
import { PAST_TRAFFIC, PastTrafficRequest, type PastTrafficResponse } from '@hawser/wire/traffic.ts';
import { Compile } from 'typebox/compile';
import { AskedBefore } from './asked-before.ts';

/** What answers. */
export interface RpcParts {
  readonly bus: Bus;
  readonly cluster: string;
  /** Which of the cluster's agents this is. */
  readonly replica: string;
  readonly hubKey: Verifier;
  /** Resources in protobuf JSON, keys redacted; undefined when no such proxy is connected. */
  proxyConfig(proxy: string, section: ProxyConfigRequest['section']): readonly unknown[] | undefined;
  /** What becomes of a request; undefined when no such proxy is connected. */
  explainRoute(request: ExplainRouteRequest): ExplainRouteResponse | undefined;
  /** Who called the proxies of this agent otherwise than by the mesh's TLS. */
  plainCallers(request: PlainCallersRequest): PlainCallersResponse;
  /** The hub attends to a run of a drill; whether that is obeyed. */
  drillLease(run: string): boolean;
  /** The hub missed what was counted in the last so many milliseconds. */
  tellTrafficAgain(sinceMs: number): void;
  /** Whether the agent acts as if there were no hub. */
  isCutOff(): boolean;
  /** What proposed policies would change. */
  diff(request: DiffRequest): Promise<DiffResponse>;
}

interface Method {
  readonly name: string;
  /** Whether a body is a request of this method, and in words what it lacks. */
  readonly check: (body: unknown) => string | undefined;
  readonly answer: (body: never, parts: RpcParts) => unknown;
}

const proxyConfigRequest = Compile(ProxyConfigRequest);
const explainRouteRequest = Compile(ExplainRouteRequest);
const plainCallersRequest = Compile(PlainCallersRequest);
const diffRequest = Compile(DiffRequest);
const drillLeaseRequest = Compile(DrillLeaseRequest);
const pastTrafficRequest = Compile(PastTrafficRequest);

const METHODS: readonly Method[] = [
  {
    name: 'proxy-config',
    check: (body) => (proxyConfigRequest.Check(body) ? undefined : 'the request names no proxy and section'),
    answer: ({ proxy, section }: ProxyConfigRequest, parts) => {
      const resources = parts.proxyConfig(proxy, section);
      return resources === undefined ? { error: `no proxy ${proxy} is connected to the agent of ${parts.cluster}` } : { resources };
    },
  },
  {
    name: 'explain-route',
    check: (body) => (explainRouteRequest.Check(body) ? undefined : 'the request names no proxy, method and URL'),
    answer: (request: ExplainRouteRequest, parts) =>
      parts.explainRoute(request) ?? { error: `no proxy ${request.proxy} is connected to the agent of ${parts.cluster}` },
  },
  {
    name: 'plain-callers',
    check: (body) => (plainCallersRequest.Check(body) ? undefined : 'the request names no window of up to an hour'),
    answer: (request: PlainCallersRequest, parts) => parts.plainCallers(request),
  },
  {
    name: DRILL_LEASE,
    check: (body) => (drillLeaseRequest.Check(body) ? undefined : 'the request names no run'),
    answer: ({ run }: DrillLeaseRequest, parts): DrillLeaseResponse => ({ obeyed: parts.drillLease(run) }),
  },
  {
    name: PAST_TRAFFIC,
    check: (body) => (pastTrafficRequest.Check(body) ? undefined : 'the request says no time'),
    answer: ({ sinceMs }: PastTrafficRequest, parts): PastTrafficResponse => {
      parts.tellTrafficAgain(sinceMs);
      return { telling: true };
    },
  },
  {
    name: 'diff',
    check: (body) => (diffRequest.Check(body) ? undefined : 'the request names no policies'),
    answer: (request: DiffRequest, parts) => parts.diff(request),
  },
];

/** Serves `hawser.rpc.CLUSTER.METHOD`, and `….REPLICA` for this agent alone: sealed requests, JSON answers. */
export function serveRpc(parts: RpcParts): BusSubscription {
  const { bus, cluster, replica } = parts;
  const before = new AskedBefore();
  const serving = METHODS.flatMap((method) =>
    [rpcSubject(cluster, method.name), rpcSubject(cluster, method.name, replica)].map((subject) =>
      bus.serve(subject, async (bytes) => Buffer.from(JSON.stringify(await answer(bytes, method, { ...parts, before })))),
    ),
  );
  return {
    stop: () => {
      for (const one of serving) one.stop();
    },
  };
}

async function answer(bytes: Uint8Array, method: Method, parts: RpcParts & { readonly before: AskedBefore }): Promise<unknown> {
  const request = open(bytes, (from) => (from === HUB ? parts.hubKey : undefined));
  if (typeof request === 'string') return { error: `the request was refused: ${request}` };
  if (request.to !== parts.cluster || request.key !== method.name) return { error: 'the request was refused: wrong-address' };
  if (parts.isCutOff()) return { error: 'the request was refused: a drill has this agent act as if there were no hub' };
  if (parts.before.has(bytes, request.revision)) return { error: 'the request was refused: replayed' };
  const problem = method.check(request.body);
  return problem === undefined ? method.answer(request.body as never, parts) : { error: problem };
}
