/** Telemetry: metrics, as Istio names them. */
import { expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import type { TestEnvoy } from '../kit/envoy.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { callTcp } from './kit/clients.ts';
import { BOOKINFO, eastern } from './kit/layout.ts';
import { seen, series } from './kit/metric-series.ts';
import { policy, type Rig } from './kit/rig.ts';
import { grpcThrough, STREAM_PORTS, say, startStreamApp, tell, watch } from './kit/stream-app.ts';

const behaviour = behavioursOf(
  {
    net: 102,
    workloads: [eastern('reviews', 'v1', 21), eastern('mongodb', 'v1', 24), eastern('ratings', 'v2', 25)],
    ports: {
      ...BOOKINFO.ports,
      'bookinfo/mongodb': [{ name: 'mongo', port: 27017, protocol: 'tcp' }],
      'bookinfo/ratings': [{ name: 'grpc', port: 50051, protocol: 'http2', target: STREAM_PORTS.grpc }],
    },
  },
  async () => void (await startStreamApp('ratings-v2', '127.81.102.25')),
);

function server(rig: Rig, at: number): TestEnvoy {
  return rig.mesh.envoyAt(`127.81.102.${at}`);
}

behaviour(
  'TE-020',
  'metrics',
  "the caller's proxy counts requests as istio_requests_total, with who called whom and where",
  async (rig) => {
    await rig.policies([]);
    await rig.call({ path: '/te-020', reply: { status: 418 } });
    const { labels, value } = await seen(rig.client(), 'istio_requests_total', { response_code: '418' });
    expect(value).toBe(1);
    expect(labels).toMatchObject({
      ...{ reporter: 'source', source_cluster: 'east', source_workload_namespace: 'bookinfo' },
      ...{ destination_service: 'reviews.bookinfo.svc.clusterset.local', destination_service_name: 'reviews' },
      ...{ destination_service_namespace: 'bookinfo', destination_workload: 'reviews-v1', destination_app: 'reviews' },
      ...{ destination_version: 'v1', destination_cluster: 'east', destination_principal: 'spiffe://east.hawser/ns/bookinfo/sa/reviews' },
      ...{ source_principal: 'spiffe://east.hawser/ns/bookinfo/sa/productpage', request_protocol: 'http', response_flags: '-' },
    });
  },
);

behaviour('TE-021', 'metrics', "the server's proxy counts the same request, and knows the caller by its certificate", async (rig) => {
  await rig.policies([]);
  await rig.call({ path: '/te-021', reply: { status: 417 } });
  const { labels } = await seen(server(rig, 21), 'istio_requests_total', { response_code: '417' });
  expect(labels).toMatchObject({
    ...{ reporter: 'destination', connection_security_policy: 'mutual_tls', source_cluster: 'east' },
    ...{ source_principal: 'spiffe://east.hawser/ns/bookinfo/sa/productpage', source_workload: 'sidecar-127.81.102.11' },
    ...{ destination_service: 'reviews.bookinfo.svc.clusterset.local', destination_version: 'v1', destination_cluster: 'east' },
  });
});

behaviour('TE-022', 'metrics', 'durations and sizes are histograms with the same labels', async (rig) => {
  await rig.policies([]);
  await rig.call({ method: 'POST', body: 'x'.repeat(1_234), reply: { status: 416 } });
  const wanted = { response_code: '416' };
  const value = async (name: string, more: object = {}) => (await seen(rig.client(), name, { ...wanted, ...more })).value;
  await until(
    async () => (await value('istio_request_bytes_sum')) > 1_200,
    () => 'the body of the request is not counted',
  );
  expect(await value('istio_response_bytes_count')).toBe(1);
  expect(await value('istio_request_duration_milliseconds_bucket', { le: '+Inf' })).toBe(1);
});

behaviour('TE-023', 'metrics', 'a request that no server answered is counted with its response flags', async (rig) => {
  const fault = { abort: { httpStatus: 555, percentage: { value: 100 } } };
  const route = [{ destination: { host: 'reviews' } }];
  await rig.policies([policy('VirtualService', { hosts: ['reviews'], http: [{ fault, route }] })]);
  await rig.call();
  expect((await seen(rig.client(), 'istio_requests_total', { response_code: '555', response_flags: 'FI' })).value).toBe(1);
});

behaviour('TE-024', 'metrics', 'connections of TCP services and their bytes are counted', async (rig) => {
  await rig.policies([]);
  const at = await rig.listener('outbound_tcp|27017|mongodb.bookinfo.svc.clusterset.local');
  expect(await callTcp(at ?? { address: '', port: 0 }, 'hello')).toEqual(['mongodb-v1', 'hello']);
  const wanted = { destination_service_name: 'mongodb', request_protocol: 'tcp' };
  expect((await seen(rig.client(), 'istio_tcp_connections_opened_total', wanted)).value).toBe(1);
  expect((await seen(rig.client(), 'istio_tcp_connections_closed_total', wanted)).value).toBe(1);
  expect((await seen(rig.client(), 'istio_tcp_received_bytes_total', wanted)).value).toBe(6);
  expect((await seen(server(rig, 24), 'istio_tcp_sent_bytes_total', { reporter: 'destination' })).value).toBe(17);
});

behaviour('TE-025', 'metrics.overrides.disabled', 'a metric that is disabled is not counted, others are', async (rig) => {
  const overrides = [{ match: { metric: 'REQUEST_COUNT', mode: 'CLIENT' }, disabled: true }];
  await rig.policies([policy('Telemetry', { metrics: [{ providers: [{ name: 'prometheus' }], overrides }] })]);
  await rig.call({ reply: { status: 415 } });
  const wanted = { response_code: '415' };
  await seen(rig.client(), 'istio_request_duration_milliseconds_count', wanted);
  const counted = await series(rig.client(), 'istio_requests_total');
  expect(counted.filter(({ labels }) => labels['response_code'] === '415')).toEqual([]);
  await seen(server(rig, 21), 'istio_requests_total', wanted);
});

behaviour('TE-026', 'metrics.overrides.tagOverrides', 'a label is set by a CEL expression, another is removed', async (rig) => {
  const tagOverrides = { request_method: { value: 'request.method' }, source_app: { operation: 'REMOVE' } };
  await rig.policies([policy('Telemetry', { metrics: [{ overrides: [{ match: { metric: 'REQUEST_COUNT' }, tagOverrides }] }] })]);
  await rig.call({ method: 'PUT', reply: { status: 414 } });
  const { labels } = await seen(rig.client(), 'istio_requests_total', { response_code: '414' });
  expect(labels['request_method']).toBe('PUT');
  expect(labels).not.toHaveProperty('source_app');
  expect((await seen(rig.client(), 'istio_request_bytes_count', { response_code: '414' })).labels).toHaveProperty('source_app');
});

behaviour('TE-027', 'metrics.overrides.match.customMetric', "a metric may be named as Istio's own filter names it", async (rig) => {
  const overrides = [{ match: { customMetric: 'requests_total', mode: 'CLIENT' }, tagOverrides: { source_app: { operation: 'REMOVE' } } }];
  await rig.policies([policy('Telemetry', { metrics: [{ overrides }] })]);
  await rig.call({ reply: { status: 413 } });
  const wanted = { response_code: '413' };
  expect((await seen(rig.client(), 'istio_requests_total', wanted)).labels).not.toHaveProperty('source_app');
  expect((await seen(rig.client(), 'istio_request_bytes_count', wanted)).labels).toHaveProperty('source_app');
  expect((await seen(server(rig, 21), 'istio_requests_total', wanted)).labels).toHaveProperty('source_app');
});

/** Calls `ratings` by gRPC. */
async function byGrpc<T>(rig: Rig, call: (client: ReturnType<typeof grpcThrough>) => Promise<T>): Promise<T> {
  const client = grpcThrough(`${rig.clientAddress()}:15001`, 'ratings.bookinfo.svc.clusterset.local:50051');
  try {
    return await call(client);
  } finally {
    client.close();
  }
}

/** The value of a counter, 0 before it is there; all of its series together. */
async function total(envoy: TestEnvoy, name: string): Promise<number> {
  return (await series(envoy, name)).reduce((sum, { value }) => sum + value, 0);
}

/** What a counter grew by since it was read. */
async function grows(envoy: TestEnvoy, name: string, [before, by]: readonly [before: number, by: number]): Promise<void> {
  let now = before;
  await until(
    async () => {
      now = await total(envoy, name);
      return now >= before + by;
    },
    () => `${name} was ${before} and is ${now}, not ${before + by}`,
  );
  expect(now - before).toBe(by);
}

behaviour(
  'TE-028',
  'metrics.overrides.match.metric GRPC_REQUEST_MESSAGES, GRPC_RESPONSE_MESSAGES',
  "both sides count the messages of gRPC streams in both directions, with Istio's labels; large messages are one",
  async (rig) => {
    await rig.policies([]);
    const told = ['one', 'x'.repeat(100_000), '', 'four', 'five'];
    expect(await byGrpc(rig, (client) => tell(client, told))).toEqual(['ratings-v2', '5']);
    const wanted = { destination_service_name: 'ratings', response_code: '200', request_protocol: 'grpc' };
    const here = await seen(rig.client(), 'istio_request_messages_total', wanted);
    expect(here.value).toBe(5);
    expect(here.labels).toMatchObject({
      ...{ reporter: 'source', source_cluster: 'east', source_workload_namespace: 'bookinfo', grpc_response_status: '0' },
      ...{ destination_service: 'ratings.bookinfo.svc.clusterset.local', destination_workload: 'ratings-v2', destination_version: 'v2' },
      ...{ source_principal: 'spiffe://east.hawser/ns/bookinfo/sa/productpage', destination_cluster: 'east' },
    });
    expect((await seen(rig.client(), 'istio_response_messages_total', wanted)).value).toBe(2);
    const there = await seen(server(rig, 25), 'istio_request_messages_total', { destination_version: 'v2' });
    expect(there.value).toBe(5);
    expect(there.labels).toMatchObject({
      ...{ reporter: 'destination', connection_security_policy: 'mutual_tls', source_workload: 'sidecar-127.81.102.11' },
      ...{ source_principal: 'spiffe://east.hawser/ns/bookinfo/sa/productpage', destination_service_name: 'ratings' },
    });
    expect((await seen(server(rig, 25), 'istio_response_messages_total', {})).value).toBe(2);
  },
);

behaviour(
  'TE-029',
  'metrics GRPC_RESPONSE_MESSAGES',
  'the messages of a stream that its caller gives up are counted; those of other requests are none',
  async (rig) => {
    await rig.policies([]);
    const [requests, responses] = ['istio_request_messages_total', 'istio_response_messages_total'];
    const before = [await total(rig.client(), requests), await total(rig.client(), responses)] as const;
    await rig.call({ method: 'POST', body: '\0\0\0\0\0', reply: { status: 412 } });
    await byGrpc(rig, async (client) => (await watch(client)).close());
    await grows(rig.client(), responses, [before[1], 1]);
    await grows(rig.client(), requests, [before[0], 1]);
  },
);

behaviour(
  'TE-034',
  'metrics.overrides.disabled of GRPC_REQUEST_MESSAGES',
  'messages of one direction are not counted, those of the other are; none are where both are disabled',
  async (rig) => {
    const [requests, responses] = ['istio_request_messages_total', 'istio_response_messages_total'];
    const off = (...metrics: string[]) =>
      policy('Telemetry', { metrics: [{ overrides: metrics.map((metric) => ({ match: { metric, mode: 'CLIENT' }, disabled: true })) }] });
    const hello = () => byGrpc(rig, (client) => say(client, 'hello'));
    await rig.policies([off('GRPC_REQUEST_MESSAGES')]);
    const before = [
      await total(rig.client(), requests),
      await total(rig.client(), responses),
      await total(server(rig, 25), requests),
    ] as const;
    expect(await hello()).toBe('ratings-v2:hello');
    await grows(rig.client(), responses, [before[1], 1]);
    await grows(server(rig, 25), requests, [before[2], 1]);
    expect(await total(rig.client(), requests)).toBe(before[0]);
    await rig.policies([off('GRPC_REQUEST_MESSAGES', 'GRPC_RESPONSE_MESSAGES')]);
    expect(await hello()).toBe('ratings-v2:hello');
    await grows(server(rig, 25), requests, [before[2], 2]);
    expect([await total(rig.client(), requests), await total(rig.client(), responses)]).toEqual([before[0], before[1] + 1]);
  },
);

behaviour(
  'TE-035',
  'metrics.overrides.tagOverrides of GRPC_RESPONSE_MESSAGES',
  'a label of the messages of one direction is set, another removed; the other direction keeps its own',
  async (rig) => {
    const tagOverrides = { method: { value: 'request.url_path' }, source_app: { operation: 'REMOVE' } };
    await rig.policies([
      policy('Telemetry', { metrics: [{ overrides: [{ match: { metric: 'GRPC_RESPONSE_MESSAGES' }, tagOverrides }] }] }),
    ]);
    const before = await total(rig.client(), 'istio_request_messages_total');
    expect(await byGrpc(rig, (client) => say(client, 'hello'))).toBe('ratings-v2:hello');
    const { labels, value } = await seen(rig.client(), 'istio_response_messages_total', { method: '/echo.Echo/Say' });
    expect(value).toBe(1);
    expect(labels).not.toHaveProperty('source_app');
    await grows(rig.client(), 'istio_request_messages_total', [before, 1]);
    for (const one of await series(rig.client(), 'istio_request_messages_total')) expect(one.labels).toHaveProperty('source_app');
  },
);

behaviour(
  'TE-036',
  'metrics.overrides.match.customMetric of gRPC',
  "messages may be named as Istio's own filter names them",
  async (rig) => {
    const overrides = [
      { match: { customMetric: 'request_messages_total', mode: 'CLIENT' }, tagOverrides: { named: { value: "'custom'" } } },
    ];
    await rig.policies([policy('Telemetry', { metrics: [{ overrides }] })]);
    expect(await byGrpc(rig, (client) => say(client, 'hello'))).toBe('ratings-v2:hello');
    expect((await seen(rig.client(), 'istio_request_messages_total', { named: 'custom' })).value).toBe(1);
  },
);
