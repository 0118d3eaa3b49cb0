/** VirtualService: rules for TCP and TLS connections. */
import type { VirtualServiceTcp, VirtualServiceTls } from '@hawser/model/istio/specs.ts';
import { expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { type At, callTcp } from './kit/clients.ts';
import { APP_PORTS } from './kit/echo-app.ts';
import { eastern } from './kit/layout.ts';
import { policy, type Rig } from './kit/rig.ts';

const PORTS = [
  { name: 'tcp', port: 5000, protocol: 'tcp' as const },
  { name: 'tcp-other', port: 5001, protocol: 'tcp' as const },
  { name: 'tls', port: 443, protocol: 'tcp' as const, application: 'tls', target: APP_PORTS.tls },
];
const behaviour = behavioursOf({
  net: 16,
  workloads: [eastern('echo', 'v1', 21), eastern('echo', 'v2', 22), eastern('other', 'v1', 23)],
  ports: { 'bookinfo/echo': PORTS, 'bookinfo/other': PORTS },
});

const HOST = 'echo.bookinfo.svc.clusterset.local';
const SUBSETS = policy('DestinationRule', {
  host: 'echo',
  subsets: ['v1', 'v2'].map((version) => ({ name: version, labels: { version } })),
});

const to = (subset: string, weight?: number) => [{ destination: { host: 'echo', subset }, ...(weight === undefined ? {} : { weight }) }];
const rules = (spec: { tcp?: VirtualServiceTcp[]; tls?: VirtualServiceTls[] }) => [
  SUBSETS,
  policy('VirtualService', { hosts: ['echo'], ...spec }),
];

async function at(rig: Rig, port: number): Promise<At> {
  let found: At | undefined;
  await until(
    async () => {
      found = await rig.listener(`outbound_tcp|${port}|${HOST}`);
      return found !== undefined;
    },
    () => `there is no listener for port ${port}`,
  );
  return found ?? { address: '', port: 0 };
}

/** Who answers a connection to a port; '' when it was closed. */
async function answers(rig: Rig, port: number): Promise<string> {
  const [name = '', echo] = await callTcp(await at(rig, port), 'hello');
  if (name !== '') expect(echo).toBe('hello');
  return name;
}

/** Who answers TLS that asks for a server. */
async function answersTls(rig: Rig, servername: string): Promise<string> {
  return (await callTcp(await at(rig, 443), 'hello', { servername }))[0] ?? '';
}

/** Listeners change beside routes: waits until the newest one takes connections. */
async function comesTo(rig: Rig, port: number, name: string): Promise<void> {
  await until(
    async () => (await answers(rig, port)) === name,
    () => `port ${port} never came to ${name || 'nothing'}`,
  );
}

behaviour('VS-100', 'tcp.route.destination', 'connections go to the subset, or to another service', async (rig) => {
  await rig.policies(rules({ tcp: [{ route: to('v2') }] }));
  await comesTo(rig, 5000, 'echo-v2');
  expect(new Set(await Promise.all(Array.from({ length: 10 }, () => answers(rig, 5000))))).toEqual(new Set(['echo-v2']));
  await rig.policies(rules({ tcp: [{ route: [{ destination: { host: 'other', port: { number: 5001 } } }] }] }));
  await comesTo(rig, 5000, 'other-v1');
});

behaviour('VS-101', 'tcp.route.weight', 'connections are divided by weights', async (rig) => {
  await rig.policies(rules({ tcp: [{ route: [...to('v1', 70), ...to('v2', 30)] }] }));
  await until(
    async () => new Set(await Promise.all(Array.from({ length: 20 }, () => answers(rig, 5000)))).size === 2,
    () => 'only one of the two ever answers',
  );
  const seen = await Promise.all(Array.from({ length: 200 }, () => answers(rig, 5000)));
  const second = seen.filter((name) => name === 'echo-v2').length;
  // 6 standard deviations of a random choice among 200.
  expect(Math.abs(second - 60)).toBeLessThan(39);
});

behaviour('VS-102', 'tcp.match.port', 'a rule for one port leaves the other alone', async (rig) => {
  await rig.policies(rules({ tcp: [{ match: [{ port: 5001 }], route: [{ destination: { host: 'other' } }] }] }));
  await comesTo(rig, 5001, 'other-v1');
  expect(['echo-v1', 'echo-v2']).toContain(await answers(rig, 5000));
});

behaviour('VS-103', 'tcp.match.destinationSubnets', 'a rule is for connections to addresses of its ranges', async (rig) => {
  const { address } = await at(rig, 5000);
  await rig.policies(rules({ tcp: [{ match: [{ destinationSubnets: [`${address}/24`] }], route: to('v2') }, { route: to('v1') }] }));
  await comesTo(rig, 5000, 'echo-v2');
  await rig.policies(rules({ tcp: [{ match: [{ destinationSubnets: ['10.0.0.0/8'] }], route: to('v2') }, { route: to('v1') }] }));
  await comesTo(rig, 5000, 'echo-v1');
});

behaviour('VS-104', 'tcp.match.sourceSubnet', 'a rule is for connections from addresses of its range', async (rig) => {
  await rig.policies(rules({ tcp: [{ match: [{ sourceSubnet: '127.0.0.0/8' }], route: to('v2') }, { route: to('v1') }] }));
  await comesTo(rig, 5000, 'echo-v2');
  await rig.policies(rules({ tcp: [{ match: [{ sourceSubnet: '10.0.0.0/8' }], route: to('v2') }, { route: to('v1') }] }));
  await comesTo(rig, 5000, 'echo-v1');
});

behaviour('VS-105', 'tcp.route.destination missing', 'connections that lead nowhere are closed', async (rig) => {
  await rig.policies(rules({ tcp: [{ route: to('v9') }] }));
  await comesTo(rig, 5000, '');
  await rig.policies([]);
  await until(
    async () => ['echo-v1', 'echo-v2'].includes(await answers(rig, 5000)),
    () => 'nobody answers when the rule is gone',
  );
});

behaviour('VS-106', 'tcp.match.gateways', 'a rule for gateways alone does nothing to sidecars', async (rig) => {
  await rig.policies(
    rules({ tcp: [{ match: [{ gateways: ['ingress'] }], route: [{ destination: { host: 'other' } }] }, { route: to('v1') }] }),
  );
  await comesTo(rig, 5000, 'echo-v1');
});

behaviour(
  'VS-107',
  'tls.match.sniHosts',
  'TLS connections go by the server name that they ask for; they stay encrypted to the end',
  async (rig) => {
    const hosts = ['echo', 'one.example.com', 'two.example.com'];
    const tls = [
      { match: [{ sniHosts: ['one.example.com'] }], route: to('v1') },
      { match: [{ sniHosts: ['two.example.com'] }], route: to('v2') },
    ];
    await rig.policies([SUBSETS, policy('VirtualService', { hosts, tls })]);
    await until(
      async () => (await answersTls(rig, 'two.example.com')) === 'echo-v2' && (await answersTls(rig, 'one.example.com')) === 'echo-v1',
      () => 'server names never led where they should',
    );
    expect(['echo-v1', 'echo-v2']).toContain(await answersTls(rig, 'three.example.com'));
  },
);

behaviour('VS-108', 'tls.match.sniHosts wildcard', 'a wildcard is for the names below it, a name itself goes before it', async (rig) => {
  const tls = [
    { match: [{ sniHosts: ['*.example.com'] }], route: to('v1') },
    { match: [{ sniHosts: ['two.example.com'] }], route: [{ destination: { host: 'other' } }] },
  ];
  await rig.policies([SUBSETS, policy('VirtualService', { hosts: ['echo', '*.example.com'], tls })]);
  await until(
    async () => (await answersTls(rig, 'two.example.com')) === 'other-v1' && (await answersTls(rig, 'any.example.com')) === 'echo-v1',
    () => 'server names never led where they should',
  );
});

behaviour('VS-109', 'tls.match.port', 'a rule for another port is not for this one', async (rig) => {
  const tls = [{ match: [{ sniHosts: ['one.example.com'], port: 8443 }], route: [{ destination: { host: 'other' } }] }];
  await rig.policies([
    SUBSETS,
    policy('VirtualService', { hosts: ['echo', 'one.example.com'], tls, tcp: [{ match: [{ port: 443 }], route: to('v2') }] }),
  ]);
  await until(
    async () => (await answersTls(rig, 'one.example.com')) === 'echo-v2',
    () => 'the rule for TCP was never in force',
  );
});

behaviour('VS-110', 'tls.route.weight', 'TLS connections are divided by weights', async (rig) => {
  const tls = [{ match: [{ sniHosts: [HOST] }], route: [...to('v1', 50), ...to('v2', 50)] }];
  await rig.policies(rules({ tls }));
  const seen = new Set<string>();
  await until(
    async () => seen.add(await answersTls(rig, HOST)).size === 2,
    () => `only ${[...seen].join()} ever answered`,
  );
});

behaviour('VS-111', 'tls.match.destinationSubnets', 'server name and address must both be as the rule says', async (rig) => {
  const [hosts, { address }] = [['echo', 'one.example.com'], await at(rig, 443)];
  const tls = (range: string) => [
    { match: [{ sniHosts: ['one.example.com'], destinationSubnets: [range] }], route: [{ destination: { host: 'other' } }] },
  ];
  await rig.policies([SUBSETS, policy('VirtualService', { hosts, tls: tls(`${address}/32`) })]);
  await until(
    async () => (await answersTls(rig, 'one.example.com')) === 'other-v1',
    () => 'the rule was never in force',
  );
  await rig.policies([SUBSETS, policy('VirtualService', { hosts, tls: tls('10.0.0.0/8'), tcp: [{ route: to('v1') }] })]);
  await until(
    async () => (await answersTls(rig, 'one.example.com')) === 'echo-v1',
    () => 'the rule of another address was not left',
  );
});

/** Subset, or host, of the only upstream that `explain-route` names for a connection of productpage. */
function explained(rig: Rig, url: string): string {
  const { taken } = rig.mesh.explain('east', { proxy: 'sidecar-127.81.16.11', method: 'GET', url, headers: {} });
  expect(taken[0]?.upstreams.length).toBe(1);
  const [upstream] = taken[0]?.upstreams ?? [];
  expect(upstream?.endpoints.length).toBeGreaterThan(0);
  return upstream?.subset ?? upstream?.host ?? '';
}

behaviour('VS-130', 'tcp.route (explain-route)', 'what is said of a connection is where it goes', async (rig) => {
  const { address } = await at(rig, 5000);
  await rig.policies(
    rules({
      tcp: [
        { match: [{ port: 5000, destinationSubnets: ['10.0.0.0/8'] }], route: to('v1') },
        { match: [{ port: 5000, destinationSubnets: [`${address}/24`] }], route: to('v2') },
      ],
      tls: [{ match: [{ port: 443, sniHosts: [HOST] }], route: to('v1') }],
    }),
  );
  await comesTo(rig, 5000, 'echo-v2');
  expect(explained(rig, `tcp://${HOST}:5000`)).toBe('v2');
  expect(explained(rig, 'tcp://echo.bookinfo:5000')).toBe('v2');
  await until(
    async () => (await answersTls(rig, HOST)) === 'echo-v1',
    () => 'TLS never came to echo-v1',
  );
  expect(explained(rig, `tls://${HOST}:443`)).toBe('v1');
  expect(explained(rig, 'tcp://other.bookinfo.svc.clusterset.local:5001')).toBe('other.bookinfo.svc.clusterset.local');
});
