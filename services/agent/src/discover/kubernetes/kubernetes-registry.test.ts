/** A whole source on an API server that fails as it is told to: what the rest of the agent is told, and what stays in force. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { json, ScriptedApiServer } from '../../../../../test/kit/scripted-api-server.ts';
import type { Shards } from '../../state/endpoint-brake.ts';
import { LocalSource, type LocalState } from '../local-source.ts';
import type { RegistryRead } from '../registry-source.ts';
import { ApiClient } from './api-client.ts';
import { followedKinds } from './followed-kinds.ts';
import { KubernetesRegistry, kubernetesRegistry } from './kubernetes-registry.ts';
import { REFLECTOR_TIMES } from './reflector.ts';

const SERVICES = '/api/v1/services';
const SLICES = '/apis/discovery.k8s.io/v1/endpointslices';
const EXPORTS = '/apis/multicluster.x-k8s.io/v1beta1/serviceexports';
const PODS = '/api/v1/pods';
const NODES = '/api/v1/nodes';
const times = { ...REFLECTOR_TIMES, backoff: { baseMs: 5, maxMs: 50 }, absentMs: 50 };
const WAIT = { timeout: 20_000 };

let server: ScriptedApiServer;
let api: ApiClient;
const stops: (() => Promise<void> | void)[] = [];

beforeEach(async () => {
  server = new ScriptedApiServer();
  for (const path of [SERVICES, SLICES, EXPORTS, PODS, NODES]) server.have(path);
  const access = { ca: undefined, clientCertificate: undefined, clientKey: undefined, serverName: undefined, insecure: false };
  api = new ApiClient({ ...access, server: await server.start(), bearer: () => 't' });
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  api.close();
  await server.stop();
});

const service = (name: string) =>
  server.put(SERVICES, `shop/${name}`, { metadata: { name, namespace: 'shop' }, spec: { ports: [{ port: 80 }] } });
const slice = (name: string, addresses: readonly string[], more: Record<string, unknown> = {}) =>
  server.put(SLICES, `shop/${name}-1`, {
    metadata: { name: `${name}-1`, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
    ...{
      addressType: 'IPv4',
      ports: [{ name: '', port: 8080 }],
      endpoints: addresses.map((address) => ({ addresses: [address], ...more })),
    },
  });

/** A source alone, and what it told. */
function source() {
  const [reads, holds]: [RegistryRead[], (string | undefined)[]] = [[], []];
  const options = { onRead: (read: RegistryRead) => reads.push(read), onHold: (reason: string | undefined) => holds.push(reason) };
  const registry = new KubernetesRegistry({ api, secretNamespaces: [], times, podLateMs: 50 }, options);
  stops.push(() => registry.stop());
  return { registry, reads, holds };
}

/** A local source on it: brake, saved state and all. */
async function local(saved?: LocalState) {
  const warnings = new Map<string, readonly string[]>();
  const pushed: Shards[] = [];
  const one = new LocalSource({
    ...{ cluster: 'east', openRegistry: kubernetesRegistry({ api, secretNamespaces: [], times }), saved, checkMs: 0 },
    onShards: (shards) => pushed.push(shards),
    onWarnings: (topic, messages) => warnings.set(topic, messages),
  });
  stops.push(() => one.stop());
  await one.start();
  const addresses = (name = 'web') => one.shards.get(`shop/${name}`)?.endpoints.map(({ address }) => address);
  return { one, pushed, warnings, addresses };
}

describe('KubernetesRegistry', () => {
  it('tells everything once, then what changes, as it changes', async () => {
    service('web');
    const { registry, reads } = source();
    await registry.start();
    expect(reads.map(({ how, objects }) => [how, objects.length])).toEqual([['relist', 1]]);
    await vi.waitFor(() => expect(server.watches(SLICES)).toBe(1), WAIT);
    slice('web', ['10.1.0.1']);
    await vi.waitFor(() => expect(reads.map(({ how, objects }) => [how, objects.length]).slice(1)).toEqual([['live', 2]]), WAIT);
  });

  it('tells nothing before every necessary kind was listed; Nodes are not waited for', async () => {
    service('web');
    server.fault = (url, response) => [PODS, NODES].includes(url.pathname) && json(response, 403, { code: 403, message: 'forbidden' });
    const { registry, reads, holds } = source();
    await registry.start();
    expect(reads).toEqual([]);
    expect(holds.at(-1)).toMatch(/forbidden.*; everything it held is kept until it can be read again$/);
    server.fault = (url, response) => url.pathname === NODES && json(response, 403, { code: 403, message: 'nodes is forbidden' });
    await vi.waitFor(() => expect(reads.at(-1)?.how).toBe('relist'), WAIT);
    await vi.waitFor(() => expect(holds.at(-1)).toMatch(/nodes is forbidden/), WAIT);
  });

  it('asks for no Secret but those of the namespaces that it is given', async () => {
    expect(followedKinds(['edge']).map(({ name }) => name)).toEqual([...followedKinds([]).map(({ name }) => name), 'secrets of edge']);
    const { registry } = source();
    await registry.start();
    expect(server.asked.filter((one) => one.includes('secrets'))).toEqual([]);
  });

  it('says of an endpoint whose Pod never comes that it is left out', async () => {
    service('web');
    const { registry, reads } = source();
    await registry.start();
    slice('web', ['10.1.0.1'], { targetRef: { kind: 'Pod', name: 'ghost', namespace: 'shop' } });
    await vi.waitFor(() => expect(reads.at(-1)?.warnings[0]?.message).toMatch(/^Pod shop\/ghost: an EndpointSlice names it/), WAIT);
    server.put(PODS, 'shop/ghost', { metadata: { name: 'ghost', namespace: 'shop' }, spec: {} });
    await vi.waitFor(() => expect(reads.at(-1)?.warnings).toEqual([]), WAIT);
  });
});

describe('what is in force', () => {
  it('a right that is withdrawn takes nothing away, and the other kinds go on', async () => {
    service('web');
    const all = ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.4'];
    slice('web', all);
    const { addresses, one, warnings } = await local();
    expect(addresses()).toEqual(all);
    await vi.waitFor(() => expect(server.watches(SLICES)).toBe(1), WAIT);
    server.fault = (url, response) => url.pathname === SLICES && json(response, 403, { code: 403, message: 'endpointslices is forbidden' });
    server.inject(SLICES, '', true);
    await vi.waitFor(() => expect(warnings.get('registry')?.[0]).toMatch(/endpointslices is forbidden/), WAIT);
    service('other');
    await vi.waitFor(() => expect(one.shards.has('shop/other')).toBe(true), WAIT);
    slice('web', all.slice(1));
    expect(addresses()).toEqual(all);
    server.fault = () => false;
    await vi.waitFor(() => expect(addresses()).toEqual(all.slice(1)), WAIT);
    await vi.waitFor(() => expect(warnings.get('registry')).toEqual([]), WAIT);
  });

  it('a list that lost most is held until everything was asked once more', async () => {
    service('web');
    slice('web', ['10.1.0.1', '10.1.0.2']);
    const { addresses, one } = await local();
    await vi.waitFor(() => expect(server.watches(SLICES)).toBe(1), WAIT);
    let down = true;
    server.fault = (_url, response) => down && response.destroy() !== undefined;
    server.inject(SLICES, '', true);
    server.delete(SLICES, 'shop/web-1');
    server.compact();
    down = false;
    await vi.waitFor(() => expect(one.held).toBe(2), WAIT);
    expect(addresses()).toEqual(['10.1.0.1', '10.1.0.2']);
    await vi.waitFor(() => expect([one.held, addresses()]).toEqual([0, []]), WAIT);
  });

  it('a restart pushes nothing, with the API server there or away', async () => {
    service('web');
    slice('web', ['10.1.0.1', '10.1.0.2']);
    const first = await local();
    const state = first.one.state();
    await first.one.stop();
    const again = await local(state);
    expect(again.one.shards.get('shop/web')).toBe(state.shards.get('shop/web'));
    expect(again.pushed.every((shards) => shards === state.shards)).toBe(true);
    await again.one.stop();
    server.fault = (_url, response) => response.destroy() !== undefined;
    const alone = await local(state);
    expect(alone.addresses()).toEqual(['10.1.0.1', '10.1.0.2']);
    slice('web', ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
    server.fault = () => false;
    await vi.waitFor(() => expect(alone.addresses()).toHaveLength(3), WAIT);
  });
});
