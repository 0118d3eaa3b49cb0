/** An agent on Kubernetes beside one on files, over real NATS: an EndpointSlice of one is what the other serves, and proxies show projected tokens. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningAgent } from '@hawser/agent/agent.ts';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectAds } from '../kit/ads-client.ts';
import { serviceFile, startFederation, type TestFederation } from '../kit/federation.ts';
import { json, ScriptedApiServer } from '../kit/scripted-api-server.ts';
import { eventually, ready, servedBy, versionsOf } from '../kit/served.ts';

const [FILES, KUBERNETES] = ['us-east', 'us-west'] as const;
const SLICES = '/apis/discovery.k8s.io/v1/endpointslices';
const PODS = '/api/v1/pods';

const server = new ScriptedApiServer();
let federation: TestFederation;
let files: RunningAgent;
let kubernetes: RunningAgent;
let kubeconfig: string;

const meta = (name: string, more = {}) => ({ name, namespace: 'bookinfo', uid: `uid-${name}`, ...more });
const pod = (name: string) =>
  server.put(PODS, name, { metadata: meta(name, { labels: { app: 'reviews', version: 'v2' } }), spec: { serviceAccountName: 'reviews' } });
const slice = (pods: Readonly<Record<string, string>>) =>
  server.put(SLICES, 'reviews-1', {
    metadata: meta('reviews-1', { labels: { 'kubernetes.io/service-name': 'reviews' } }),
    ...{ addressType: 'IPv4', ports: [{ name: 'http', port: 9080, protocol: 'TCP' }] },
    endpoints: Object.entries(pods).map(([name, address]) => ({
      ...{ addresses: [address], conditions: { ready: true }, targetRef: { kind: 'Pod', name, namespace: 'bookinfo', uid: `uid-${name}` } },
    })),
  });

beforeAll(async () => {
  const url = await server.start();
  server.put('/api/v1/services', 'reviews', { metadata: meta('reviews'), spec: { ports: [{ name: 'http', port: 80 }] } });
  server.put('/apis/multicluster.x-k8s.io/v1beta1/serviceexports', 'reviews', { metadata: meta('reviews') });
  server.have('/api/v1/nodes');
  pod('a');
  slice({ a: '10.77.2.11' });
  federation = await startFederation([FILES, KUBERNETES]);
  kubeconfig = join(federation.folder, 'kubeconfig');
  const named = { name: 'test' };
  const config = {
    ...{ 'current-context': 'test', contexts: [{ ...named, context: { cluster: 'test', user: 'test' } }] },
    ...{ clusters: [{ ...named, cluster: { server: url.href } }], users: [{ ...named, user: { token: 't' } }] },
  };
  writeFileSync(kubeconfig, JSON.stringify(config));
  federation.cluster(FILES).put('reviews.yaml', serviceFile('reviews', ['127.79.1.11']));
  await Promise.all([federation.configure(FILES, 1), federation.configure(KUBERNETES, 1)]);
  files = await federation.cluster(FILES).start();
  kubernetes = await federation.cluster(KUBERNETES).start({ kubeconfig });
  await Promise.all([files, kubernetes].map(ready));
});
afterAll(async () => {
  await federation?.stop();
  await server.stop();
});

const both = (condition: (text: string) => boolean, complaint: string): Promise<void> =>
  eventually(() => [files, kubernetes].every((agent) => condition(servedBy(agent))), complaint);

describe('an agent on Kubernetes', () => {
  it('offers what its API server exports, and each change of it', async () => {
    await both((text) => text.includes('10.77.2.11') && text.includes('127.79.1.11'), 'the clusters do not know each other');
    slice({ a: '10.77.2.11', b: '10.77.2.12' });
    pod('b');
    await both((text) => text.includes('10.77.2.12'), 'the new Pod is not served');
    slice({ b: '10.77.2.12' });
    await both((text) => !text.includes('10.77.2.11'), 'the old Pod is still served');
  });

  it('keeps everything while its API server refuses everything, and a restart then changes nothing', async () => {
    await both((text) => text.includes('10.77.2.12'), 'the Pod is not served');
    const before = versionsOf(kubernetes);
    server.fault = (_url, response) => json(response, 403, { kind: 'Status', code: 403, message: 'forbidden' });
    server.inject(SLICES, '', true);
    await eventually(() => JSON.stringify(kubernetes.world().warnings).includes('forbidden'), 'nothing is said');
    expect(versionsOf(kubernetes)).toEqual(before);
    await kubernetes.stop();
    kubernetes = await federation.cluster(KUBERNETES).start({ kubeconfig });
    await ready(kubernetes);
    expect(versionsOf(kubernetes)).toEqual(before);
    server.fault = () => false;
    slice({ b: '10.77.2.12', a: '10.77.2.11' });
    await both((text) => text.includes('10.77.2.11'), 'the API server is not heard again');
  });

  it('gives configuration to a proxy by its projected token, and says why to one that it refuses', async () => {
    const user = { username: 'system:serviceaccount:bookinfo:reviews', extra: { 'authentication.kubernetes.io/pod-name': ['a'] } };
    const good = await new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(Buffer.alloc(32));
    server.post = (body) => {
      const { token } = (body as { spec: { token: string } }).spec;
      return { status: token === good ? { authenticated: true, audiences: ['hawser'], user } : { error: 'token is expired' } };
    };
    const node = {
      role: 'sidecar',
      address: '10.77.2.11',
      name: 'a.bookinfo',
      cluster: KUBERNETES,
      namespace: 'bookinfo',
      serviceAccount: 'reviews',
    };
    const proxy = connectAds({ port: kubernetes.xdsPort, token: good, node });
    proxy.send('CDS', { subscribe: ['*'] });
    expect((await proxy.next()).type).toBe('CDS');
    await proxy.close();
    const stranger = connectAds({ port: kubernetes.xdsPort, token: 'x.y.z', node });
    stranger.send('CDS');
    expect((await stranger.ended).details).toBe('the API server refuses the proxy token: token is expired');
    await stranger.close();
    const other = connectAds({ port: kubernetes.xdsPort, token: good, node: { ...node, name: 'b.bookinfo' } });
    other.send('CDS');
    expect((await other.ended).details).toMatch(/node.metadata.name is "b.bookinfo", but the token is for "a.bookinfo"/);
    await other.close();
  });
});
