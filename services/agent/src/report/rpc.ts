/** Answers the hub's questions about a proxy's configuration. Only the hub's own key is obeyed. */
import type { Bus, BusSubscription } from '@hawser/bus/bus.ts';
import { HUB, open } from '@hawser/wire/envelope.ts';
import { ProxyConfigRequest, type ProxyConfigResponse } from '@hawser/wire/messages.ts';
import type { Verifier } from '@hawser/wire/signing.ts';
import { rpcSubject } from '@hawser/wire/subjects.ts';
import { Compile } from 'typebox/compile';

/** What answers. */
export interface RpcParts {
  readonly bus: Bus;
  readonly cluster: string;
  readonly hubKey: Verifier;
  /** Resources in protobuf JSON, keys redacted; undefined when no such proxy is connected. */
  proxyConfig(proxy: string, section: ProxyConfigRequest['section']): readonly unknown[] | undefined;
}

const METHOD = 'proxy-config';
const proxyConfigRequest = Compile(ProxyConfigRequest);

/** Serves `hawser.rpc.CLUSTER.proxy-config`: a sealed request, a JSON answer. */
export function serveProxyConfig(parts: RpcParts): BusSubscription {
  return parts.bus.serve(rpcSubject(parts.cluster, METHOD), (bytes) => Buffer.from(JSON.stringify(answer(bytes, parts))));
}

function answer(bytes: Uint8Array, parts: RpcParts): ProxyConfigResponse {
  const request = open(bytes, (from) => (from === HUB ? parts.hubKey : undefined));
  if (typeof request === 'string') return { error: `the request was refused: ${request}` };
  if (request.to !== parts.cluster || request.key !== METHOD) return { error: 'the request was refused: wrong-address' };
  if (!proxyConfigRequest.Check(request.body)) return { error: 'the request names no proxy and section' };
  const resources = parts.proxyConfig(request.body.proxy, request.body.section);
  if (resources === undefined) return { error: `no proxy ${request.body.proxy} is connected to the agent of ${parts.cluster}` };
  return { resources: [...resources] };
}
