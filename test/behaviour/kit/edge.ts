/** Edge proxies of a rig, and what is asserted of them with patience: a worker has new routes some milliseconds after the acknowledgement. */
import type { Credential } from '@hawser/agent/state/credential.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { expect, vi } from 'vitest';
import type { Identity } from '../../datapath/kit/pki.ts';
import type { TestEnvoy } from '../../kit/envoy.ts';
import { callOutside, type OutsideCall, type OutsideReply } from './outside-client.ts';
import { policy, type Rig } from './rig.ts';

/** Namespace of the edge proxies, and of their Gateways unless told otherwise. */
export const INGRESS = 'ingress';

/** A running edge proxy. */
export interface Edge {
  readonly address: string;
  readonly envoy: TestEnvoy;
  call(port: number, call: OutsideCall): Promise<OutsideReply>;
  /** Calls until the answer is as wanted; fails with the last one. */
  expectCall(port: number, call: OutsideCall, wanted: Partial<OutsideReply>): Promise<OutsideReply>;
}

/** Starts one of namespace `ingress`, labelled `istio: NAME`. */
export async function startEdge(
  rig: Rig,
  { address, name, cluster = 'east' }: { address: string; name: string; cluster?: string },
): Promise<Edge> {
  const envoy = await rig.mesh.edge(cluster, address, { account: `${INGRESS}/${name}`, labels: { istio: name } });
  const call = (port: number, what: OutsideCall): Promise<OutsideReply> => callOutside({ address, port }, what);
  return {
    ...{ address, envoy, call },
    expectCall: (port, what, wanted) =>
      eventually(async () => {
        const reply = await call(port, what);
        expect(reply).toMatchObject(wanted);
        return reply;
      }),
  };
}

/** What of the policies is not served as written in `east`, the rig's own aside. */
export function problemsIn(rig: Rig): ReturnType<Rig['mesh']['problems']> {
  return rig.mesh.problems('east').filter(({ policy: key }) => !key.endsWith('/rig-probe'));
}

/** Tries until it holds, for at most 15 s. */
export function eventually<Result>(attempt: () => Promise<Result> | Result): Promise<Result> {
  return vi.waitFor(attempt, { timeout: 15_000, interval: 20 });
}

/** A Gateway of the edge proxies of a name. */
export function gateway(name: string, servers: readonly unknown[], metadata: Partial<Resource['metadata']> = {}): Resource {
  return policy('Gateway', { selector: { istio: name }, servers }, { namespace: INGRESS, name, ...metadata });
}

/** A server of plain HTTP. */
export function httpServer(hosts: readonly string[], port = 8080, more: object = {}): object {
  return { port: { number: port, name: `http-${port}`, protocol: 'HTTP' }, hosts, ...more };
}

/** A server of HTTPS. */
export function httpsServer(hosts: readonly string[], tls: object, port = 8443): object {
  return { port: { number: port, name: `https-${port}`, protocol: 'HTTPS' }, hosts, tls };
}

/** A VirtualService of `bookinfo` that leads all its requests to reviews. */
export function site(hosts: readonly string[], gateways: readonly string[], http: unknown = TO_REVIEWS, more: object = {}): Resource {
  return policy('VirtualService', { hosts, gateways, http, ...more }, { name: hosts[0]?.replace('*', 'any') ?? 'site' });
}

/** A route to reviews. */
export const TO_REVIEWS = [{ route: [{ destination: { host: 'reviews', port: { number: 80 } } }] }];

/** A Secret as the agent has it. */
export function credential(name: string, keyPair: Identity | undefined, more: Partial<Credential> = {}): Credential {
  return { namespace: INGRESS, name, ...(keyPair === undefined ? {} : { keyPair }), ...more };
}
