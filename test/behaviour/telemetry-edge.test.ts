/** Telemetry at edge proxies: who calls is not of the mesh, and the edge is the first that sees it. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { type Edge, gateway, httpServer, INGRESS, site, startEdge } from './kit/edge.ts';
import { seen } from './kit/metric-series.ts';
import { policy, type Rig } from './kit/rig.ts';

const NET = 110;
const COLLECTOR = `127.81.${NET}.2`;
const HOST = 'a.example.com';
const HERE = { namespace: INGRESS, name: 'edge' };
const SERVED = [gateway('site', [httpServer([HOST])]), site([HOST], ['ingress/site'])];
let edge: Edge;
const posted: string[] = [];
/** A collector of Zipkin that also denies whatever it is asked about. */
const outside: Server = createServer((request, response) => {
  const isSpan = request.url?.startsWith('/api/v2/spans') === true;
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    if (isSpan) posted.push(Buffer.concat(parts).toString());
    response.writeHead(isSpan ? 202 : 403).end();
  });
});

beforeAll(() => new Promise<void>((resolve) => outside.listen(0, COLLECTOR, resolve)));
afterAll(() => {
  outside.close();
  outside.closeAllConnections();
});

const behaviour = behavioursOf({ net: NET }, async (rig: Rig) => {
  edge = await startEdge(rig, { address: `127.81.${NET}.5`, name: 'site' });
});

/** What the application is to answer. */
function asking(status: number): Record<string, string> {
  return { 'x-reply': JSON.stringify({ status }) };
}

function provider(name: string, form: 'zipkin' | 'envoyExtAuthzHttp'): ReturnType<typeof policy> {
  const { port } = outside.address() as AddressInfo;
  return policy('ExtensionProvider', { [form]: { service: COLLECTOR, port } }, { namespace: INGRESS, name });
}

behaviour(
  'TE-030',
  'accessLogging (edge)',
  'an edge proxy writes a line for each request of the world, and switches as sidecars do',
  async (rig) => {
    await rig.policies(SERVED);
    await edge.expectCall(8080, { host: HOST, path: '/te-030-silent' }, { status: 200 });
    await rig.policies([...SERVED, policy('Telemetry', { accessLogging: [{ providers: [{ name: 'envoy' }] }] }, HERE)]);
    await until(
      async () => {
        await edge.call(8080, { host: HOST, path: '/te-030-logged' });
        return edge.envoy.output().includes('"GET /te-030-logged HTTP/1.1" 200');
      },
      () => `nothing is logged: ${edge.envoy.output().slice(-500)}`,
    );
    expect(edge.envoy.output()).not.toContain('/te-030-silent');
  },
);

behaviour('TE-031', 'metrics (edge)', 'an edge proxy counts requests as the caller of the service behind it', async (rig) => {
  await rig.policies(SERVED);
  await edge.expectCall(8080, { host: HOST, headers: asking(418) }, { status: 418 });
  const { labels } = await seen(edge.envoy, 'istio_requests_total', { response_code: '418' });
  expect(labels).toMatchObject({
    ...{ reporter: 'source', source_workload_namespace: INGRESS, source_cluster: 'east' },
    ...{ destination_service: 'reviews.bookinfo.svc.clusterset.local', destination_service_namespace: 'bookinfo' },
  });
  // What a client says of its workload is not believed: the server hears of the edge proxy.
  const strangers = { 'x-hawser-workload': 'admin', 'x-hawser-namespace': 'admin' };
  const { servedBy } = await edge.expectCall(8080, { host: HOST, headers: { ...strangers, ...asking(419) } }, { status: 419 });
  const server = rig.mesh.envoyAt(`127.81.${NET}.${{ 'reviews-v1': 21, 'reviews-v2': 22, 'reviews-v3': 23 }[servedBy]}`);
  const counted = await seen(server, 'istio_requests_total', { response_code: '419' });
  expect(counted.labels).toMatchObject({ reporter: 'destination', source_workload_namespace: INGRESS });
});

behaviour('TE-032', 'tracing (edge)', 'an edge proxy begins the trace, and its spans come to the collector', async (rig) => {
  const tracing = [{ providers: [{ name: 'spans' }], randomSamplingPercentage: 100 }];
  await rig.policies([...SERVED, provider('spans', 'zipkin'), policy('Telemetry', { tracing }, HERE)]);
  await until(
    async () => {
      await edge.call(8080, { host: HOST, path: '/te-032' });
      return posted.some((spans) => spans.includes('/te-032') && spans.includes(INGRESS));
    },
    () => `no span came: ${posted.join().slice(-500)}`,
  );
});

behaviour(
  'TE-033',
  'action CUSTOM (edge)',
  'an edge proxy asks who decides about requests of the world before it leads them on',
  async (rig) => {
    const rules = [{ to: [{ operation: { paths: ['/admin*'] } }] }];
    const judged = policy('AuthorizationPolicy', { action: 'CUSTOM', provider: { name: 'judge' }, rules }, HERE);
    await rig.policies([...SERVED, provider('judge', 'envoyExtAuthzHttp'), judged]);
    await edge.expectCall(8080, { host: HOST, path: '/admin' }, { status: 403 });
    await edge.expectCall(8080, { host: HOST, path: '/open' }, { status: 200 });
  },
);
