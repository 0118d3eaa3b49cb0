/** For every code: resources in which it is found, and the nearest ones in which it is not. */
import { ACCESS_CASES } from './access-cases.ts';
import { aged, type Case, FLEET, written } from './case.ts';
import type { Code } from './codes.ts';
import type { Facts } from './facts.ts';
import { STEERING_CASES } from './steering-cases.ts';

const to = (host: string, more: object = {}) => ({ destination: { host, ...more } });
const all = (host = 'reviews', more: object = {}) => ({ route: [to(host, more)] });
const vs = (spec: object, metadata: object = {}, name = 'vs') =>
  written('VirtualService', name, { hosts: ['reviews'], http: [all()], ...spec }, metadata);
const http = (...rules: object[]) => vs({ http: rules });
const v1v2 = [
  { name: 'v1', labels: { version: 'v1' } },
  { name: 'v2', labels: { version: 'v2' } },
];
const dr = (spec: object = {}, metadata: object = {}, name = 'dr') =>
  written('DestinationRule', name, { host: 'reviews', subsets: v1v2, ...spec }, metadata);
const useful = vs({
  http: [all('reviews', { subset: 'v1' }), { match: [{ uri: { prefix: '/x' } }], ...all('reviews', { subset: 'v2' }) }].reverse(),
});
const policy = (trafficPolicy: object, host = 'reviews') => dr({ host, subsets: [], trafficPolicy });
const outside = (spec: object = {}, metadata: object = {}, name = 'se') =>
  written(
    'ServiceEntry',
    name,
    { hosts: ['api.example.com'], ports: [{ name: 'https', number: 443, protocol: 'TLS' }], resolution: 'DNS', ...spec },
    metadata,
  );
const server = (more: object = {}) => ({ port: { name: 'http', number: 8080, protocol: 'HTTP' }, hosts: ['shop.example.com'], ...more });
const gw = (spec: object = {}, metadata: object = {}, name = 'gw') =>
  written('Gateway', name, { selector: { istio: 'ingressgateway' }, servers: [server()], ...spec }, metadata);
const bound = (spec: object = {}) => vs({ hosts: ['shop.example.com'], gateways: ['gw'], ...spec });
const sidecar = (hosts: readonly string[], metadata: object = {}, name = 'sc') =>
  written('Sidecar', name, { egress: [{ hosts }] }, metadata);
const selecting = (clusters: string) => ({ annotations: { 'hawser.dev/clusters': clusters } });
const retrying = (timeout: string, perTryTimeout?: string) =>
  http({ ...all(), timeout, retries: { attempts: 2, ...(perTryTimeout === undefined ? {} : { perTryTimeout }) } });
const shares = (first: number) => ({
  loadBalancer: { localityLbSetting: { distribute: [{ from: 'us-east/*', to: { 'us-east/*': first, 'us-west/*': 30 } }] } },
});
const shop = { name: 'shop', namespace: 'shop' };
const ported = (name: string | undefined, number: number, protocol: string, others: readonly object[] = []): Facts => ({
  services: [
    {
      namespace: 'a',
      service: 'b',
      shards: [{ cluster: 'c', ports: [{ name, port: number, protocol }], endpoints: 1 }, ...(others as [])],
    },
  ],
});
const second = (protocol: string) => [{ cluster: 'd', ports: [{ name: 'http', port: 80, protocol }], endpoints: 1 }];

/** By code. */
export const CASES: Readonly<Record<Code, Case>> = {
  HW0001: { finds: [http({ ...all(), timeout: 'soon' })], field: 'spec.http[0].timeout', not: [http({ ...all(), timeout: '5s' })] },
  HW0002: { finds: [policy({ tunnel: { targetHost: 'a', targetPort: 1 } })], field: '*', not: [dr({ subsets: [] })] },
  HW0003: {
    finds: [policy({ outlierDetection: { consecutiveErrors: 5 } })],
    field: 'spec.trafficPolicy.outlierDetection.consecutiveErrors',
    not: [policy({ outlierDetection: { consecutive5xxErrors: 5 } })],
  },
  HW0004: { finds: [{ ...(vs({}) as object), apiVersion: 'networking.istio.io/v1alpha3' }], field: 'apiVersion', not: [vs({})] },
  HW0005: { finds: [vs({}), vs({})], field: 'metadata.name', not: [vs({}), vs({}, {}, 'other')] },

  HW0101: { finds: [vs({ hosts: ['revews'] })], field: 'spec.hosts[0]', not: [vs({ hosts: ['reviews'] })] },
  HW0102: { finds: [dr({ host: 'revews' })], field: 'spec.host', not: [dr()] },
  HW0103: { finds: [http(all('revews'))], field: 'spec.http[0].route[0].destination.host', not: [http(all('api.example.com')), outside()] },
  HW0104: {
    finds: [http(all('reviews', { port: { number: 81 } }))],
    field: 'spec.http[0].route[0].destination.port.number',
    not: [http(all('reviews', { port: { number: 80 } }))],
  },
  HW0105: {
    finds: [http(all('reviews', { subset: 'v9' })), dr()],
    field: 'spec.http[0].route[0].destination.subset',
    not: [http(all('reviews', { subset: 'v2' })), dr()],
  },
  HW0106: { finds: [dr({ subsets: [{ name: 'v9', labels: { version: 'v9' } }] })], field: 'spec.subsets[0]', not: [dr()] },
  HW0107: { finds: [dr()], field: 'spec.subsets[0]', not: [dr(), useful] },

  HW0201: {
    finds: [http(all(), { match: [{ uri: { prefix: '/a' } }], ...all('ratings') })],
    field: 'spec.http[1]',
    not: [http({ match: [{ uri: { prefix: '/a' } }], ...all('ratings') }, all())],
  },
  HW0202: {
    finds: [
      http(
        { match: [{ uri: { prefix: '/a' } }], ...all() },
        { match: [{ uri: { exact: '/a/b' }, method: { exact: 'GET' } }], ...all('ratings') },
      ),
    ],
    field: 'spec.http[1]',
    not: [
      http(
        { match: [{ uri: { prefix: '/a' }, headers: { x: { exact: '1' } } }], ...all() },
        { match: [{ uri: { exact: '/a/b' } }], ...all('ratings') },
      ),
    ],
  },
  HW0203: {
    finds: [vs({}, aged(1), 'old'), vs({}, aged(2), 'new')],
    field: 'spec.hosts[0]',
    not: [vs({}, aged(1), 'old'), vs({ hosts: ['ratings'] }, aged(2), 'new')],
  },
  HW0204: {
    finds: [vs({ http: [{ match: [{ uri: { prefix: '/a' } }], ...all() }] }, aged(1), 'old'), vs({}, aged(2), 'new')],
    field: 'spec.hosts[0]',
    not: [vs({ gateways: ['edge/gw'] }, aged(1), 'old'), vs({}, aged(2), 'new')],
  },
  HW0205: {
    finds: [
      http({
        route: [
          { ...to('reviews'), weight: 90 },
          { ...to('ratings'), weight: 20 },
        ],
      }),
    ],
    field: 'spec.http[0].route',
    not: [
      http({
        route: [
          { ...to('reviews'), weight: 80 },
          { ...to('ratings'), weight: 20 },
        ],
      }),
    ],
  },
  HW0206: { finds: [retrying('1s', '2s')], field: 'spec.http[0].retries.perTryTimeout', not: [retrying('9s', '2s')] },
  HW0207: { finds: [retrying('5s', '2s')], field: 'spec.http[0].retries.perTryTimeout', not: [retrying('6s', '2s')] },
  HW0208: { finds: [retrying('5s')], field: 'spec.http[0].retries', not: [retrying('6s', '2s')] },
  HW0209: {
    finds: [http({ ...all(), fault: { abort: { httpStatus: 503, percentage: { value: 100 } } } })],
    field: 'spec.http[0].fault.abort',
    not: [http({ ...all(), fault: { abort: { httpStatus: 503, percentage: { value: 10 } } } })],
  },
  HW0210: {
    finds: [http({ match: [{ uri: { regex: '.*' } }], ...all() })],
    field: 'spec.http[0].match[0].uri',
    not: [http({ match: [{ uri: { regex: '/a.*' } }], ...all() })],
  },
  HW0211: {
    finds: [http({ match: [{ uri: { regex: 'api/.*' } }], ...all() })],
    field: 'spec.http[0].match[0].uri.regex',
    not: [http({ match: [{ uri: { regex: '(/api|/v1)/.*$' } }], ...all() })],
  },
  HW0212: {
    finds: [http({ delegate: { name: 'inner' } })],
    field: 'spec.http[0].delegate',
    not: [http({ delegate: { name: 'inner' } }), written('VirtualService', 'inner', { http: [all()] })],
  },

  HW0301: {
    finds: [dr({}, aged(1), 'old'), dr({ subsets: [] }, aged(2), 'new')],
    field: 'spec.host',
    not: [dr({}, aged(1), 'old'), dr({ host: 'ratings' }, aged(2), 'new')],
  },
  HW0302: {
    finds: [dr({}, aged(1), 'old'), dr({}, aged(2), 'new')],
    field: 'spec.subsets[0].name',
    not: [dr({}, aged(1), 'old'), dr({ subsets: [{ name: 'v3', labels: {} }] }, aged(2), 'new')],
  },
  HW0303: {
    finds: [policy({ tls: { mode: 'DISABLE' } })],
    field: 'spec.trafficPolicy.tls.mode',
    not: [policy({ tls: { mode: 'ISTIO_MUTUAL' } })],
  },
  HW0304: {
    finds: [outside(), policy({ tls: { mode: 'ISTIO_MUTUAL' } }, 'api.example.com')],
    field: 'spec.trafficPolicy.tls.mode',
    not: [outside(), policy({ tls: { mode: 'SIMPLE' } }, 'api.example.com')],
  },
  HW0305: {
    finds: [policy(shares(60))],
    field: 'spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to',
    not: [policy(shares(70))],
  },
  HW0306: { finds: [dr({ host: 'reviews.bookinfo' }, { namespace: 'shop' })], field: 'spec.host', not: [dr({ host: 'reviews.bookinfo' })] },

  HW0401: {
    finds: [],
    facts: ported('http', 80, 'http', second('tcp')),
    field: 'ports[80]',
    not: [],
    notFacts: ported('http', 80, 'http', second('http')),
  },
  HW0402: { finds: [], facts: ported('http-web', 80, 'tcp'), field: 'ports[80]', not: [], notFacts: ported('http-web', 80, 'http') },
  HW0403: { finds: [], facts: ported(undefined, 3306, 'http'), field: 'ports[3306]', not: [], notFacts: ported('tcp-mysql', 3306, 'tcp') },
  HW0404: {
    finds: [vs({ hosts: ['mysql'], http: [all('mysql')] })],
    field: 'spec.hosts[0]',
    not: [written('VirtualService', 'vs', { hosts: ['mysql'], tcp: [all('mysql')] })],
  },

  HW0501: {
    finds: [vs({}, selecting('tier=gold'))],
    field: 'metadata.annotations["hawser.dev/clusters"]',
    not: [vs({}, selecting('tier=prod'))],
  },
  HW0510: {
    finds: [written('FailoverPolicy', 'f', { order: ['us-east'] })],
    field: 'metadata.name',
    not: [
      written('FailoverPolicy', 'f', { order: ['us-east'] }, selecting('region=us-west')),
      written('FailoverPolicy', 'g', { order: ['us-east'] }),
    ],
    facts: { ...FLEET, ownPolicies: [{ cluster: 'us-east', kind: 'FailoverPolicy', namespace: 'bookinfo', name: 'f', inForce: true }] },
  },
  HW0511: {
    finds: [written('FailoverPolicy', 'f', { order: ['us-east'] }, selecting('region=us-east'))],
    field: 'metadata.annotations["hawser.dev/clusters"]',
    not: [written('TrafficShift', 'f', { services: ['reviews'], regions: { 'us-east': 100 } })],
    facts: { ...FLEET, ownPolicies: [{ cluster: 'us-east', kind: 'FailoverPolicy', namespace: 'bookinfo', name: 'f', inForce: false }] },
  },
  HW0502: {
    finds: [useful, dr({}, selecting('tier=prod'))],
    field: 'spec.http[0].route[0].destination.subset',
    not: [vs({ http: [all('reviews', { subset: 'v1' })] }, selecting('region=us-east')), dr({}, selecting('tier=prod'))],
  },
  HW0503: {
    finds: [written('FailoverPolicy', 'f', { order: ['mars'] })],
    field: 'spec.order[0]',
    not: [written('FailoverPolicy', 'f', { order: ['us-west'] })],
  },
  HW0504: {
    finds: [written('TrafficShift', 't', { services: ['revews'], regions: { 'us-east': 100 } })],
    field: 'spec.services[0]',
    not: [written('TrafficShift', 't', { services: ['reviews'], regions: { 'us-east': 100 } })],
  },
  HW0505: {
    finds: ['a', 'b'].map((name, index) => written('FailoverPolicy', name, { services: ['reviews'], order: ['us-east'] }, aged(index))),
    field: 'spec.services[0]',
    not: ['a', 'b'].map((name, index) =>
      written(
        'FailoverPolicy',
        name,
        { services: ['reviews'], order: ['us-east'] },
        { ...aged(index), ...selecting(`region=us-${index === 0 ? 'east' : 'west'}`) },
      ),
    ),
  },
  ...STEERING_CASES,

  HW0601: { finds: [gw({ selector: { istio: 'egress' } })], field: 'spec.selector', not: [gw()] },
  HW0602: { finds: [bound()], field: 'spec.gateways[0]', not: [bound(), gw()] },
  HW0603: {
    finds: [gw(), bound({ hosts: ['other.example.com'] })],
    field: 'spec.hosts[0]',
    not: [gw({ servers: [server({ hosts: ['./*.example.com'] })] }), bound()],
  },
  HW0604: {
    finds: [gw({}, aged(1)), gw({ servers: [server({ port: { name: 'tcp', number: 8080, protocol: 'TCP' } })] }, aged(2), 'late')],
    field: 'spec.servers[0].port',
    not: [gw({}, aged(1)), gw({ servers: [server({ port: { name: 'tcp', number: 8081, protocol: 'TCP' } })] }, aged(2), 'late')],
  },
  HW0605: {
    finds: [gw({}, aged(1)), gw({}, aged(2), 'late')],
    field: 'spec.servers[0].hosts',
    not: [gw({}, aged(1)), gw({ servers: [server({ hosts: ['b.example.com'] })] }, aged(2), 'late')],
  },
  HW0606: { finds: [gw()], field: '', not: [gw(), bound()] },

  HW0701: {
    finds: [sidecar(['./ratings.bookinfo.svc.cluster.local']), http(all())],
    field: 'spec.egress',
    not: [sidecar(['./*']), http(all())],
  },
  HW0702: {
    finds: [sidecar(['./*'], aged(1), 'a'), sidecar(['./*'], aged(2), 'b')],
    field: 'spec.workloadSelector',
    not: [sidecar(['./*'], aged(1), 'a'), sidecar(['./*'], shop, 'b')],
  },
  HW0703: {
    finds: [sidecar(['*/nothing.example.com'])],
    field: 'spec.egress[0].hosts[0]',
    not: [sidecar(['bookinfo/reviews.bookinfo.svc.cluster.local'])],
  },

  HW0801: {
    finds: [outside({}, aged(1), 'a'), outside({}, aged(2), 'b')],
    field: 'spec.hosts[0]',
    not: [
      outside({}, aged(1), 'a'),
      outside({ exportTo: ['.'] }, { ...aged(2), namespace: 'shop' }, 'b'),
      outside({ hosts: ['b.example.com'] }, {}, 'c'),
    ].toSpliced(1, 1),
  },
  HW0802: { finds: [outside({ hosts: ['reviews.bookinfo.svc.cluster.local'] })], field: 'spec.hosts[0]', not: [outside()] },
  HW0803: {
    finds: [
      outside({ addresses: ['240.0.0.1'] }, aged(1), 'a'),
      outside({ addresses: ['240.0.0.1'], hosts: ['b.example.com'] }, aged(2), 'b'),
    ],
    field: 'spec.addresses[0]',
    not: [
      outside({ addresses: ['240.0.0.1'] }, aged(1), 'a'),
      outside({ addresses: ['240.0.0.2'], hosts: ['b.example.com'] }, aged(2), 'b'),
    ],
  },
  HW0804: {
    finds: [outside({ workloadSelector: { labels: { app: 'vm' } }, resolution: 'STATIC' })],
    field: 'spec.workloadSelector.labels',
    not: [
      outside({ workloadSelector: { labels: { app: 'vm' } }, resolution: 'STATIC' }),
      written('WorkloadEntry', 'vm', { address: '10.0.0.1', labels: { app: 'vm' } }),
    ],
  },

  HW0901: {
    finds: [outside({ exportTo: ['.'] }, { namespace: 'shop' }), http(all('api.example.com'))],
    field: 'spec.http[0].route[0].destination.host',
    not: [outside({ exportTo: ['.', 'bookinfo'] }, { namespace: 'shop' }), http(all('api.example.com'))],
  },
  HW0902: { finds: [vs({ exportTo: ['boookinfo', '.'] })], field: 'spec.exportTo[0]', not: [vs({ exportTo: ['bookinfo', '*'] })] },

  HW1001: {
    finds: [
      written('Telemetry', 'logs', { accessLogging: [{ providers: [{ name: 'envoy' }, { name: 'otlp' }] }] }),
      written('AuthorizationPolicy', 'opa', { action: 'CUSTOM', provider: { name: 'opa' }, rules: [{}] }),
      written('ExtensionProvider', 'otlp', { opentelemetry: { service: 'otlp.example.com', port: 4317 } }),
    ],
    field: 'spec.provider.name',
    not: [
      written('Telemetry', 'spans', { accessLogging: [{ providers: [{ name: 'envoy' }] }], tracing: [{ providers: [{ name: 'otlp' }] }] }),
      written('AuthorizationPolicy', 'opa', { action: 'CUSTOM', provider: { name: 'opa' }, rules: [{}] }),
      written('ExtensionProvider', 'otlp', { opentelemetry: { service: 'otlp.example.com', port: 4317 } }, { namespace: 'hawser-system' }),
      written('ExtensionProvider', 'opa', { envoyExtAuthzGrpc: { service: 'opa', port: 80 } }),
    ],
  },

  ...ACCESS_CASES,
};
