/** What the controller asks of an API server, and when it does not. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ScriptedApiServer } from '../../../../test/kit/scripted-api-server.ts';
import { ApiClient } from '../discover/kubernetes/api-client.ts';
import { ENDPOINT_SLICES, SERVICES } from '../discover/kubernetes/followed-kinds.ts';
import { KubernetesRegistry } from '../discover/kubernetes/kubernetes-registry.ts';
import { VIRTUAL_RANGE } from '../translate/capture/virtual-addresses.ts';
import { ImportFacts } from './import-facts.ts';
import { MulticlusterController } from './multicluster-controller.ts';

const GROUP = '/apis/multicluster.x-k8s.io/v1beta1';
const IMPORTS = `${GROUP}/serviceimports`;
const EXPORTS = `${GROUP}/serviceexports`;
const NEAR: EndpointShard = {
  cluster: 'east',
  namespace: 'shop',
  service: 'near',
  exported: true,
  ports: [{ port: 80, protocol: 'http' }],
  endpoints: [],
};

let server: ScriptedApiServer;
let api: ApiClient;
let source: KubernetesRegistry;
let controller: MulticlusterController;
let isHeard: boolean;
let writes: boolean;
const asked = (method: string) => server.asked.filter((line) => line.startsWith(`${method} `));

beforeEach(async () => {
  server = new ScriptedApiServer();
  const url = await server.start();
  const none = { ca: undefined, clientCertificate: undefined, clientKey: undefined, serverName: undefined, insecure: false };
  api = new ApiClient({ server: url, ...none, bearer: () => 't' });
  server.put('/api/v1/namespaces', 'shop', { metadata: { name: 'shop' } });
  for (const path of [EXPORTS, SERVICES, ENDPOINT_SLICES, '/api/v1/pods', '/api/v1/nodes']) server.have(path);
  server.put(IMPORTS, 'far', {
    metadata: { name: 'far', namespace: 'shop', uid: 'u', labels: { 'app.kubernetes.io/managed-by': 'hawser' } },
    ...{ spec: { type: 'Headless', ports: [] }, status: { clusters: [{ cluster: 'west' }], conditions: [] } },
  });
  [isHeard, writes] = [false, true];
  const facts = new ImportFacts(undefined);
  source = new KubernetesRegistry({ api, secretNamespaces: [], others: facts }, { onRead: () => undefined, onHold: () => undefined });
  await source.start();
  const shards = new Map([['shop/near', new Map([['east', NEAR]])]]);
  controller = new MulticlusterController({
    ...{ api, facts, range: VIRTUAL_RANGE, world: () => ({ self: 'east', clusters: new Map(), shards, policies: new Map() }) },
    ...{ backing: { outboundGateway: undefined, importEndpointSlices: false }, tcpServices: () => [] },
    members: () => ['east', 'west'].map((name) => ({ name }) as RosterMember),
    ...{ isHeard: () => isHeard, writes: () => writes, serviceOf: () => ({ type: '' }) },
    ...{ onAddresses: () => undefined, onWarnings: () => undefined },
  });
});
afterEach(async () => {
  await controller.stop();
  await source.stop();
  api.close();
  await server.stop();
});

describe('the controller', () => {
  it('deletes no import at its start of a cluster that was not heard, and does when it was and has none', async () => {
    controller.start();
    await vi.waitFor(() => expect(asked('POST')).toEqual([`POST ${GROUP}/namespaces/shop/serviceimports`]), 10_000);
    expect(asked('DELETE')).toEqual([]);
    isHeard = true;
    controller.wake();
    await vi.waitFor(() => expect(asked('DELETE')).toEqual([`DELETE ${GROUP}/namespaces/shop/serviceimports/far`]), 10_000);
  });

  it('asks for each kind once, together with the source, and of what is there already knows what it made itself', async () => {
    const owner = { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceImport', name: 'far', uid: 'u' };
    const labels = { 'multicluster.kubernetes.io/service-name': 'far', 'app.kubernetes.io/managed-by': 'hawser' };
    server.put(SERVICES, 'shop/derived', {
      metadata: { name: 'derived', namespace: 'shop', uid: 'd', labels, ownerReferences: [owner] },
      spec: { ports: [{ port: 80 }] },
    });
    isHeard = true;
    controller.start();
    await vi.waitFor(() => expect(asked('DELETE')).toContain('DELETE /api/v1/namespaces/shop/services/derived'), 10_000);
    const paths = [SERVICES, ENDPOINT_SLICES, EXPORTS, IMPORTS, '/api/v1/namespaces'];
    expect(paths.map((path) => asked('GET').filter((line) => line.startsWith(`GET ${path}?limit=500`)).length)).toEqual([1, 1, 1, 1, 1]);
    expect(paths.map((path) => server.watches(path))).toEqual([1, 1, 1, 1, 1]);
  });

  it('writes nothing while another replica publishes, and all of it when it is the one', async () => {
    writes = false;
    controller.start();
    await vi.waitFor(() => expect(server.watches(IMPORTS)).toBe(1), 10_000);
    expect([asked('POST'), asked('PATCH'), asked('DELETE')]).toEqual([[], [], []]);
    writes = true;
    controller.wake();
    await vi.waitFor(() => expect(asked('POST')).toHaveLength(1), 10_000);
  });
});
