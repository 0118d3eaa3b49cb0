/** Telemetry: traces. */
import { afterAll, beforeAll, expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { type Collector, type Span, startCollector } from './kit/collector.ts';
import { policy, type Rig } from './kit/rig.ts';

const ADDRESS = '127.81.104.2';
let collector: Collector;
beforeAll(async () => {
  collector = await startCollector(ADDRESS);
});
afterAll(() => collector.stop());

const behaviour = behavioursOf({ net: 104 });
type Policy = ReturnType<typeof policy>;

function zipkin(more: object = {}): Policy {
  return policy('ExtensionProvider', { zipkin: { service: ADDRESS, port: collector.http, ...more } }, { name: 'zipkin' });
}

function tracing(rules: object, name = 'zipkin', metadata: object = {}): Policy {
  return policy('Telemetry', { tracing: [{ providers: [{ name }], randomSamplingPercentage: 100, ...rules }] }, metadata);
}

interface About {
  readonly headers?: Readonly<Record<string, string>>;
  /** Which trace is meant. */
  readonly when?: (spans: readonly Span[]) => boolean;
}

/**
 * Spans of a trace of calls of a path: of as many proxies as wanted, the second told by the first. The server's proxy may still answer
 * as before on connections that it drains: calls are repeated.
 */
async function spansOf(rig: Rig, path: string, proxies: 1 | 2, about: About = {}): Promise<Span[]> {
  const { headers = {}, when = () => true } = about;
  let found: Span[] | undefined;
  await until(
    async () => {
      expect((await rig.call({ path, headers })).status).toBe(200);
      const known = collector.spans.filter((span) => span.tags['http.url']?.endsWith(path) === true);
      const traces = [...Map.groupBy(known, ({ traceId }) => traceId).values()];
      found = traces.find(
        (spans) => when(spans) && spans.some((span) => proxies === 1 || spans.some(({ parentId }) => parentId === span.id)),
      );
      return found !== undefined;
    },
    () => `no trace of ${path} by ${proxies}`,
  );
  return found ?? [];
}

/** Calls until what the application gets fulfils a condition. */
async function untilGot(
  rig: Rig,
  headers: Readonly<Record<string, string>>,
  condition: (got: Readonly<Record<string, string>>) => boolean,
): Promise<void> {
  let got: Readonly<Record<string, string>> = {};
  await until(
    async () => {
      got = (await rig.call({ headers })).got?.headers ?? {};
      return condition(got);
    },
    () => JSON.stringify(got),
  );
}

behaviour(
  'TE-040',
  'tracing.providers',
  'Zipkin: one trace over the proxies of caller and server, its context (B3) handed to the application',
  async (rig) => {
    await rig.policies([zipkin(), tracing({})]);
    expect((await spansOf(rig, '/te-040', 2)).length).toBeGreaterThanOrEqual(2);
    const { got } = await rig.call({ path: '/te-040-app' });
    expect(got?.headers['x-b3-traceid']).toMatch(/^[0-9a-f]{32}$/);
  },
);

behaviour('TE-041', 'tracing.providers', 'OpenTelemetry by HTTP: one trace, its context (W3C) handed to the application', async (rig) => {
  const http = { path: '/v1/traces', headers: { 'x-tenant': 'shop' } };
  const provider = policy('ExtensionProvider', { opentelemetry: { service: ADDRESS, port: collector.http, http } }, { name: 'otlp' });
  await rig.policies([provider, tracing({}, 'otlp')]);
  const spans = await spansOf(rig, '/te-041', 2);
  expect(spans.map(({ service }) => service)).toContain('reviews.bookinfo');
  expect(collector.headers['x-tenant']).toBe('shop');
  expect((await rig.call({})).got?.headers['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});

behaviour('TE-042', 'tracing.providers', 'OpenTelemetry by gRPC: one trace', async (rig) => {
  const provider = policy('ExtensionProvider', { opentelemetry: { service: ADDRESS, port: collector.grpc } }, { name: 'otlp-grpc' });
  await rig.policies([provider, tracing({}, 'otlp-grpc')]);
  expect((await spansOf(rig, '/te-042', 2)).length).toBeGreaterThanOrEqual(2);
});

behaviour('TE-043', 'tracing.providers', 'a context that the application sends is continued, whatever the sampling', async (rig) => {
  await rig.policies([zipkin(), tracing({ randomSamplingPercentage: 0 })]);
  const traceId = '463ac35c9f6413ad48485a3953bb6124';
  const context = { 'x-b3-traceid': traceId, 'x-b3-spanid': 'a2fb4a1d1a96d312', 'x-b3-sampled': '1' };
  const spans = await spansOf(rig, '/te-043', 2, { headers: context });
  expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([traceId]));
});

behaviour('TE-044', 'tracing.randomSamplingPercentage', 'at 0 no request is traced', async (rig) => {
  await rig.policies([zipkin(), tracing({ randomSamplingPercentage: 0 })]);
  await rig.call({ path: '/te-044-none' });
  await rig.policies([zipkin(), tracing({})]);
  await spansOf(rig, '/te-044-all', 2);
  expect(collector.spans.filter(({ tags }) => tags['http.url']?.endsWith('/te-044-none'))).toEqual([]);
});

behaviour('TE-045', 'tracing.customTags', 'tags are literals, headers, environment variables and formats', async (rig) => {
  const customTags = {
    fixed: { literal: { value: 'yes' } },
    user: { header: { name: 'x-user', defaultValue: 'nobody' } },
    guest: { header: { name: 'x-guest', defaultValue: 'nobody' } },
    home: { environment: { name: 'NO_SUCH_VARIABLE', defaultValue: 'none' } },
    verb: { formatter: { value: '%REQ(:METHOD)%' } },
  };
  await rig.policies([zipkin(), tracing({ customTags })]);
  const tags = { fixed: 'yes', user: 'ann', guest: 'nobody', home: 'none', verb: 'GET' };
  const isTagged = (span: Span): boolean => Object.entries(tags).every(([tag, value]) => span.tags[tag] === value);
  await spansOf(rig, '/te-045', 2, { headers: { 'x-user': 'ann' }, when: (spans) => spans.length > 1 && spans.every(isTagged) });
});

behaviour('TE-046', 'tracing.enableIstioTags', "spans carry Istio's tags unless they are switched off", async (rig) => {
  await rig.policies([zipkin(), tracing({})]);
  const [span] = await spansOf(rig, '/te-046-with', 2);
  expect(span?.tags).toMatchObject({ 'istio.cluster_id': 'east', 'istio.namespace': 'bookinfo' });
  await rig.policies([zipkin(), tracing({ enableIstioTags: false })]);
  const isBare = (span: Span): boolean => !('istio.cluster_id' in span.tags);
  await spansOf(rig, '/te-046-without', 2, { when: (spans) => spans.length > 1 && spans.every(isBare) });
});

behaviour(
  'TE-047',
  'tracing.disableSpanReporting',
  'no span is told of, and the context of the application passes as it is',
  async (rig) => {
    await rig.policies([zipkin(), tracing({ disableSpanReporting: true })]);
    const context = { 'x-b3-traceid': '463ac35c9f6413ad48485a3953bb6124', 'x-b3-spanid': 'a2fb4a1d1a96d312', 'x-b3-sampled': '1' };
    await untilGot(rig, context, (got) => Object.entries(context).every(([name, value]) => got[name] === value));
    await rig.call({ path: '/te-047-off' });
    await rig.policies([zipkin(), tracing({})]);
    await spansOf(rig, '/te-047-on', 2);
    expect(collector.spans.filter(({ tags }) => tags['http.url']?.endsWith('/te-047-off'))).toEqual([]);
  },
);

behaviour('TE-048', 'tracing.match.mode', 'CLIENT traces what workloads call, and not what they serve', async (rig) => {
  await rig.policies([zipkin(), tracing({ match: { mode: 'CLIENT' } })]);
  await spansOf(rig, '/te-048', 1);
  // A server's span has that of the caller above it.
  await untilGot(rig, {}, (got) => got['x-b3-traceid'] !== undefined && got['x-b3-parentspanid'] === undefined);
});

behaviour(
  'TE-049',
  'tracing.useRequestIdForTraceSampling',
  'the request id tells that a request is traced, unless it is switched off',
  async (rig) => {
    await rig.policies([zipkin(), tracing({})]);
    const digit = (id: string | undefined): string => id?.[14] ?? '';
    await untilGot(rig, {}, (got) => digit(got['x-request-id']) === '9');
    await rig.policies([zipkin(), tracing({ useRequestIdForTraceSampling: false })]);
    await untilGot(rig, {}, (got) => digit(got['x-request-id']) === '4');
  },
);

behaviour('TE-050', 'tracing', 'a namespace says how many requests are traced, by the provider that the mesh has named', async (rig) => {
  const root = { namespace: 'hawser-system' };
  const provider = { ...zipkin(), metadata: { ...root, name: 'zipkin' } };
  const mesh = tracing({ randomSamplingPercentage: 0 }, 'zipkin', { ...root, name: 'mesh' });
  await rig.policies([provider, mesh, policy('Telemetry', { tracing: [{ randomSamplingPercentage: 100 }] })]);
  await spansOf(rig, '/te-050', 2);
});
