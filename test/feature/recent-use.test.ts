/** An agent remembers what its proxies used: after a restart, with everything else dead, a proxy that starts is sent it at once. */
import { mintProxyToken } from '@hawser/agent/trust/proxy-tokens.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdsClient, connectAds } from '../kit/ads-client.ts';
import { serviceFile, startFederation, type TestFederation } from '../kit/federation.ts';

const EAST = 'us-east';
const upstream = (service: string): string => `outbound|80||${service}.bookinfo.svc.clusterset.local`;

describe('an agent that sends nothing unasked', () => {
  let federation: TestFederation;
  beforeAll(async () => {
    federation = await startFederation([EAST]);
    for (const [index, service] of ['details', 'ratings', 'reviews'].entries())
      federation.cluster(EAST).put(`${service}.yaml`, serviceFile(service, [`127.79.1.${21 + index}`]));
    await federation.configure(EAST, 1);
  });
  afterAll(() => federation.stop());

  const clients: AdsClient[] = [];
  /** A proxy of `shop` that has nothing; it names itself and its address by its number. */
  const connect = async (port: number, number: number): Promise<AdsClient> => {
    const { agentDir } = federation.cluster(EAST).member;
    const identity = { cluster: EAST, namespace: 'shop', serviceAccount: 'buyer' };
    const token = await mintProxyToken({ agentDir, ...identity });
    const node = { role: 'sidecar', address: `127.79.1.${number}`, name: `buyer-${number}`, ...identity, onDemand: 'upstreams' };
    const client = connectAds({ port, token, node });
    clients.push(client);
    return client;
  };
  /** Upstreams of services that come to a client which asks for everything. */
  const unasked = async (client: AdsClient): Promise<string[]> => {
    client.send('CDS', { subscribe: ['*'] });
    const response = await client.next();
    client.ack(response);
    return Object.keys(response.versions).filter((name) => name.startsWith('outbound'));
  };

  it('sends the next one what was asked for, also after a restart', async () => {
    const first = await federation.cluster(EAST).start({ sendAllUpTo: 0 });
    await new Promise<void>((resolve) => first.loop.onReady(resolve));
    const asking = await connect(first.xdsPort, 11);
    expect(await unasked(asking)).toEqual([]);
    asking.send('CDS', { subscribe: [upstream('ratings')] });
    const fetched = await asking.next();
    expect(Object.keys(fetched.versions)).toEqual([upstream('ratings')]);
    expect(await unasked(await connect(first.xdsPort, 12))).toEqual([upstream('ratings')]);
    await Promise.all(clients.map((client) => client.close()));
    await first.stop();
    await federation.nats.kill9();
    const second = await federation.cluster(EAST).start({ sendAllUpTo: 0 });
    expect(await unasked(await connect(second.xdsPort, 13))).toEqual([upstream('ratings')]);
    await Promise.all(clients.map((client) => client.close()));
  });
});
