/** What depends on who calls: exportTo, sources, the order in which DestinationRules are looked for, and Sidecar. */
import { expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { type At, callHttp } from './kit/clients.ts';
import { APP_PORTS } from './kit/echo-app.ts';
import { BOOKINFO, type Layout } from './kit/layout.ts';
import { policy, type Rig } from './kit/rig.ts';

const layout: Partial<Layout> = {
  workloads: [
    ...BOOKINFO.workloads,
    { name: 'cart-v1', service: 'shop/cart', cluster: 'east', labels: { app: 'cart', version: 'v1' }, at: 25 },
  ],
  ports: {
    ...BOOKINFO.ports,
    'shop/cart': [
      { name: 'http', port: 80, protocol: 'http' },
      { name: 'tcp', port: 7000, protocol: 'tcp', target: APP_PORTS.http },
    ],
  },
  clients: [
    { name: 'productpage', namespace: 'bookinfo', cluster: 'east', at: 11, labels: { app: 'productpage', tier: 'web' } },
    { name: 'tester', namespace: 'bookinfo', cluster: 'east', at: 12, labels: { app: 'tester' } },
    { name: 'buyer', namespace: 'shop', cluster: 'east', at: 13, labels: { app: 'buyer' } },
  ],
};
const behaviour = behavioursOf({ net: 90, ...layout });

const ROOT = 'hawser-system';
const CART = 'cart.shop.svc.clusterset.local';
const RATINGS = 'ratings.bookinfo.svc.clusterset.local';
/** The rig asks a service `probe` of each caller's namespace what the caller knows. */
const PROBES = '*/probe.bookinfo.svc.cluster.local';

function subsets(spec: object = {}, metadata: object = {}): ReturnType<typeof policy> {
  const all = ['v1', 'v2', 'v3'].map((version) => ({ name: version, labels: { version } }));
  return policy('DestinationRule', { host: 'reviews.bookinfo.svc.cluster.local', subsets: all, ...spec }, metadata);
}

/** Every request for reviews goes to one version. */
function allTo(subset: string, spec: object = {}, metadata: object = {}): ReturnType<typeof policy> {
  const host = 'reviews.bookinfo.svc.cluster.local';
  return policy('VirtualService', { hosts: [host], http: [{ route: [{ destination: { host, subset } }] }], ...spec }, metadata);
}

function sidecar(spec: object, metadata: object = {}): ReturnType<typeof policy> {
  return policy('Sidecar', spec, metadata);
}

async function statusOf(rig: Rig, from: string, host?: string): Promise<number> {
  return (await rig.call({ from, ...(host === undefined ? {} : { host }) })).status;
}

async function servedTo(rig: Rig, from: string): Promise<string> {
  return (await rig.call({ from })).servedBy;
}

behaviour('SC-001', 'VirtualService.exportTo', 'exported to ".", its own namespace alone obeys it', async (rig) => {
  await rig.policies([subsets(), allTo('v3', { exportTo: ['.'] })]);
  expect(await servedTo(rig, 'productpage')).toBe('reviews-v3');
  const others = await rig.tally(30, { from: 'buyer' });
  expect(Object.keys(others.by).length).toBeGreaterThan(1);
});

behaviour('SC-002', 'VirtualService.exportTo', 'exported to a namespace by name, that one obeys it and the own does not', async (rig) => {
  await rig.policies([subsets(), allTo('v2', { exportTo: ['shop'] })]);
  expect(await servedTo(rig, 'buyer')).toBe('reviews-v2');
  const own = await rig.tally(30, { from: 'productpage' });
  expect(Object.keys(own.by).length).toBeGreaterThan(1);
});

behaviour('SC-003', 'VirtualService.http.match.sourceLabels', 'a match is for callers with these labels', async (rig) => {
  const host = 'reviews';
  const http = [
    { match: [{ sourceLabels: { app: 'tester' } }], route: [{ destination: { host, subset: 'v2' } }] },
    { route: [{ destination: { host, subset: 'v1' } }] },
  ];
  await rig.policies([subsets(), policy('VirtualService', { hosts: [host], http })]);
  expect(await servedTo(rig, 'tester')).toBe('reviews-v2');
  expect(await servedTo(rig, 'productpage')).toBe('reviews-v1');
  expect(await servedTo(rig, 'buyer')).toBe('reviews-v1');
});

behaviour('SC-004', 'VirtualService.http.match.sourceNamespace', 'a match is for callers of this namespace', async (rig) => {
  const host = 'reviews';
  const http = [
    { match: [{ sourceNamespace: 'shop' }], route: [{ destination: { host, subset: 'v3' } }] },
    { route: [{ destination: { host, subset: 'v1' } }] },
  ];
  await rig.policies([subsets(), policy('VirtualService', { hosts: [host], http })]);
  expect(await servedTo(rig, 'buyer')).toBe('reviews-v3');
  expect(await servedTo(rig, 'tester')).toBe('reviews-v1');
});

behaviour('SC-005', 'DestinationRule lookup', "a caller's own namespace comes before the service's", async (rig) => {
  const swapped = [{ name: 'v1', labels: { version: 'v3' } }];
  await rig.policies([subsets(), subsets({ subsets: swapped }, { namespace: 'shop' }), allTo('v1')]);
  expect(await servedTo(rig, 'buyer')).toBe('reviews-v3');
  expect(await servedTo(rig, 'productpage')).toBe('reviews-v1');
});

behaviour('SC-006', 'DestinationRule lookup', 'the root namespace holds where no nearer rule does', async (rig) => {
  const root = subsets({ subsets: [{ name: 'v1', labels: { version: 'v2' } }] }, { namespace: ROOT });
  await rig.policies([root, allTo('v1')]);
  expect(await servedTo(rig, 'productpage')).toBe('reviews-v2');
  await rig.policies([root, subsets(), allTo('v1')]);
  expect(await servedTo(rig, 'productpage')).toBe('reviews-v1');
});

behaviour('SC-007', 'DestinationRule.exportTo', 'a rule that is not exported to the caller has no subsets for it', async (rig) => {
  await rig.policies([subsets({ exportTo: ['.'] }), allTo('v2')]);
  expect(await servedTo(rig, 'tester')).toBe('reviews-v2');
  expect(await statusOf(rig, 'buyer')).toBe(503);
});

behaviour('SC-008', 'DestinationRule.workloadSelector', 'a rule is for the callers that it selects', async (rig) => {
  const selected = subsets(
    { subsets: [{ name: 'v1', labels: { version: 'v3' } }], workloadSelector: { matchLabels: { tier: 'web' } } },
    { name: 'for-web' },
  );
  await rig.policies([subsets(), selected, allTo('v1')]);
  expect(await servedTo(rig, 'productpage')).toBe('reviews-v3');
  expect(await servedTo(rig, 'tester')).toBe('reviews-v1');
});

behaviour('SC-009', 'Sidecar.egress.hosts', '"./*" is the own namespace: services of others are not there', async (rig) => {
  await rig.policies([sidecar({ egress: [{ hosts: ['./*'] }] })]);
  expect(await statusOf(rig, 'productpage')).toBe(200);
  expect(await statusOf(rig, 'productpage', CART)).toBe(404);
  expect(await statusOf(rig, 'buyer', CART)).toBe(200);
  expect(await statusOf(rig, 'buyer')).toBe(200);
});

behaviour('SC-010', 'Sidecar.egress.hosts', 'a service by its name, in any of its spellings', async (rig) => {
  await rig.policies([sidecar({ egress: [{ hosts: ['shop/cart.shop.svc.cluster.local', PROBES] }] })]);
  expect(await statusOf(rig, 'productpage', CART)).toBe(200);
  expect(await statusOf(rig, 'productpage', RATINGS)).toBe(404);
});

behaviour('SC-011', 'Sidecar.egress.hosts', '"*/HOST" with a wildcard takes names that end so, of any namespace', async (rig) => {
  await rig.policies([sidecar({ egress: [{ hosts: ['*/*.bookinfo.svc.cluster.local'] }] })]);
  expect(await statusOf(rig, 'productpage', RATINGS)).toBe(200);
  expect(await statusOf(rig, 'productpage', CART)).toBe(404);
});

behaviour('SC-012', 'Sidecar.egress.hosts', '"~/*" is nothing', async (rig) => {
  await rig.policies([sidecar({ egress: [{ hosts: ['~/*', PROBES] }] })]);
  expect(await statusOf(rig, 'productpage')).toBe(404);
  expect(await statusOf(rig, 'productpage', CART)).toBe(404);
});

behaviour('SC-013', 'Sidecar.workloadSelector', 'one that selects a workload comes before the one for the namespace', async (rig) => {
  const common = sidecar({ egress: [{ hosts: ['./*'] }] });
  const own = sidecar({ workloadSelector: { labels: { app: 'tester' } }, egress: [{ hosts: ['*/*'] }] }, { name: 'for-tester' });
  await rig.policies([common, own]);
  expect(await statusOf(rig, 'tester', CART)).toBe(200);
  expect(await statusOf(rig, 'productpage', CART)).toBe(404);
});

behaviour('SC-014', 'Sidecar of the root namespace', 'holds for every namespace without its own, "." being the caller’s', async (rig) => {
  await rig.policies([sidecar({ egress: [{ hosts: ['./*'] }] }, { namespace: ROOT })]);
  expect(await statusOf(rig, 'buyer', CART)).toBe(200);
  expect(await statusOf(rig, 'buyer')).toBe(404);
  expect(await statusOf(rig, 'productpage', CART)).toBe(404);
  const own = sidecar({ egress: [{ hosts: ['*/*'] }] }, { namespace: 'shop' });
  await rig.policies([sidecar({ egress: [{ hosts: ['./*'] }] }, { namespace: ROOT }), own]);
  expect(await statusOf(rig, 'buyer')).toBe(200);
});

behaviour('SC-015', 'Sidecar.egress.port', 'a listener for a port takes it from the one for all others', async (rig) => {
  const hosts = ['bookinfo/reviews.bookinfo.svc.cluster.local', PROBES];
  await rig.policies([sidecar({ egress: [{ port: { number: 8080, protocol: 'HTTP', name: 'admin' }, hosts: ['shop/*'] }, { hosts }] })]);
  expect(await statusOf(rig, 'productpage')).toBe(200);
  expect(await statusOf(rig, 'productpage', 'reviews.bookinfo.svc.clusterset.local:8080')).toBe(404);
});

behaviour('SC-016', 'Sidecar.egress.hosts', 'where rules of a service lead is brought along, and is not callable itself', async (rig) => {
  const http = [{ route: [{ destination: { host: 'cart.shop.svc.cluster.local' } }] }];
  const away = policy('VirtualService', { hosts: ['ratings'], http });
  await rig.policies([sidecar({ egress: [{ hosts: ['./*'] }] }), away]);
  expect((await rig.call({ from: 'productpage', host: RATINGS })).servedBy).toBe('cart-v1');
  expect(await statusOf(rig, 'productpage', CART)).toBe(404);
});

behaviour(
  'SC-026',
  'Sidecar.egress.hosts',
  'rules of a VirtualService in a namespace that is not let in are not for its workloads',
  async (rig) => {
    const rules = [subsets(), allTo('v2', {}, { namespace: 'tools' }), allTo('v3', {}, { namespace: 'shop' })];
    const letIn = (...hosts: string[]) => rig.policies([sidecar({ egress: [{ hosts: ['./*', ...hosts] }] }), ...rules]);
    await letIn();
    expect(Object.keys((await rig.tally(60, { from: 'productpage' })).by)).toHaveLength(3);
    const turns: [string, string][] = [
      ['tools/*', 'reviews-v2'],
      ['shop/*', 'reviews-v3'],
      ['tools/*', 'reviews-v2'],
    ];
    for (const [host, version] of turns) {
      await letIn(host);
      expect((await rig.tally(20, { from: 'productpage' })).by).toEqual({ [version]: 20 });
    }
  },
);

behaviour('SC-027', 'Sidecar.egress.hosts', 'a host that rules alone make is let in as one of their namespace', async (rig) => {
  const http = [{ route: [{ destination: { host: 'cart.shop.svc.cluster.local' } }] }];
  const made = (namespace: string, host: string): ReturnType<typeof policy> =>
    policy('VirtualService', { hosts: [host], http }, { namespace, name: `${namespace}-made` });
  await rig.policies([sidecar({ egress: [{ hosts: ['./*'] }] }), made('bookinfo', 'own.test'), made('shop', 'other.test')]);
  expect((await rig.call({ from: 'productpage', host: 'own.test' })).servedBy).toBe('cart-v1');
  expect(await statusOf(rig, 'productpage', 'other.test')).toBe(404);
  expect(await statusOf(rig, 'buyer', 'other.test')).toBe(200);
});

behaviour('SC-017', 'Sidecar', 'what it hid is there again when it is gone', async (rig) => {
  await rig.policies([sidecar({ egress: [{ hosts: ['./*'] }] })]);
  expect(await statusOf(rig, 'tester', CART)).toBe(404);
  await rig.policies([]);
  expect(await statusOf(rig, 'tester', CART)).toBe(200);
});

behaviour('SC-018', 'Sidecar.outboundTrafficPolicy.mode', 'ALLOW_ANY lets calls of unknown hosts go where they name', async (rig) => {
  const anywhere = `127.81.90.25:${APP_PORTS.http}`;
  await rig.policies([]);
  expect(await statusOf(rig, 'productpage', anywhere)).toBe(404);
  await rig.policies([sidecar({ outboundTrafficPolicy: { mode: 'ALLOW_ANY' } })]);
  expect((await rig.call({ from: 'productpage', host: anywhere })).servedBy).toBe('cart-v1');
  expect(await statusOf(rig, 'buyer', anywhere)).toBe(404);
});

behaviour('SC-019', 'Sidecar.outboundTrafficPolicy.mode', 'REGISTRY_ONLY tells that there is no such service', async (rig) => {
  const anywhere = `127.81.90.25:${APP_PORTS.http}`;
  const open = sidecar({ outboundTrafficPolicy: { mode: 'ALLOW_ANY' } }, { namespace: ROOT });
  await rig.policies([open, sidecar({ outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } })]);
  expect(await statusOf(rig, 'productpage', anywhere)).toBe(404);
  expect(await statusOf(rig, 'buyer', anywhere)).toBe(200);
});

behaviour('SC-020', 'Sidecar.outboundTrafficPolicy.egressProxy', 'what no service has goes through the one that is named', async (rig) => {
  const egressProxy = { host: 'cart.shop.svc.cluster.local', port: { number: 80 } };
  await rig.policies([sidecar({ egress: [{ hosts: ['./*'] }], outboundTrafficPolicy: { mode: 'ALLOW_ANY', egressProxy } })]);
  const reply = await rig.call({ from: 'productpage', host: 'api.example.com' });
  expect(reply.servedBy).toBe('cart-v1');
  expect(reply.got?.headers['host']).toBe('api.example.com');
});

behaviour('SC-021', 'ServiceEntry.exportTo', 'a host that is exported to its own namespace is not there for others', async (rig) => {
  const spec = {
    ...{ hosts: ['outside.example.com'], location: 'MESH_EXTERNAL', resolution: 'STATIC', exportTo: ['.'] },
    ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: APP_PORTS.http }],
    endpoints: [{ address: '127.81.90.25' }],
  };
  await rig.policies([policy('ServiceEntry', spec)]);
  expect((await rig.call({ from: 'productpage', host: 'outside.example.com' })).servedBy).toBe('cart-v1');
  expect(await statusOf(rig, 'buyer', 'outside.example.com')).toBe(404);
});

behaviour('SC-022', 'Sidecar.ingress.defaultEndpoint', 'calls of a port lead to the application that is named', async (rig) => {
  const ingress = [{ port: { number: APP_PORTS.http, protocol: 'HTTP', name: 'http' }, defaultEndpoint: `127.81.90.25:${APP_PORTS.http}` }];
  await rig.policies([sidecar({ workloadSelector: { labels: { app: 'ratings' } }, ingress })]);
  expect((await rig.call({ from: 'buyer', host: RATINGS })).servedBy).toBe('cart-v1');
  expect((await rig.call({ from: 'buyer', host: CART })).servedBy).toBe('cart-v1');
  await rig.policies([]);
  expect((await rig.call({ from: 'buyer', host: RATINGS })).servedBy).toBe('ratings-v1');
});

behaviour('SC-023', 'Sidecar.inboundConnectionPool', 'more requests at a time than it lets in are turned away', async (rig) => {
  const pool = { tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 } };
  await rig.policies([sidecar({ workloadSelector: { labels: { app: 'ratings' } }, inboundConnectionPool: pool })]);
  const calls = Array.from({ length: 12 }, () => rig.call({ from: 'buyer', host: RATINGS, method: 'POST', reply: { delayMs: 400 } }));
  const statuses = (await Promise.all(calls)).map(({ status }) => status);
  expect(statuses).toContain(200);
  expect(statuses).toContain(503);
});

/** The listener of cart's TCP port, at the caller's sidecar; undefined when there is none. */
function cartTcp(rig: Rig, from: string): Promise<At | undefined> {
  return rig.listener(`outbound_tcp|7000|${CART}`, from);
}

behaviour('SC-024', 'Sidecar.ingress.port.protocol', 'the server’s sidecar takes HTTP in on a port of TCP', async (rig) => {
  const requestId = async (): Promise<string> => {
    const at = await cartTcp(rig, 'buyer');
    const got = at === undefined ? undefined : (await callHttp(at, {})).got;
    return got === undefined ? 'no answer' : (got.headers['x-request-id'] ?? 'none');
  };
  await rig.policies([]);
  await until(
    async () => (await requestId()) === 'none',
    () => 'a port of TCP is not carried as it is',
  );
  const ingress = [{ port: { number: APP_PORTS.http, protocol: 'HTTP', name: 'http' } }];
  await rig.policies([sidecar({ workloadSelector: { labels: { app: 'cart' } }, ingress }, { namespace: 'shop' })]);
  await until(
    async () => /^[-0-9a-f]{36}$/.test(await requestId()),
    () => 'no sidecar looked into the request',
  );
});

behaviour('SC-025', 'Sidecar.egress.port.protocol', 'a listener for HTTP carries no port of TCP', async (rig) => {
  const listening = (protocol: string): ReturnType<typeof policy> =>
    sidecar({ egress: [{ port: { number: 7000, protocol, name: 'a' }, hosts: ['shop/*'] }, { hosts: ['./*', PROBES] }] });
  for (const [protocol, is] of [
    ['TCP', true],
    ['HTTP', false],
  ] as const) {
    await rig.policies([listening(protocol)]);
    await until(
      async () => ((await cartTcp(rig, 'productpage')) !== undefined) === is,
      () => `as ${protocol}, the port of TCP is ${is ? 'not ' : ''}there`,
    );
  }
});
