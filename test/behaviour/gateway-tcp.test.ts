/** Gateway: connections that are carried as they are. */
import { expect } from 'vitest';
import type { Identity } from '../datapath/kit/pki.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { callTcp } from './kit/clients.ts';
import { credential, type Edge, eventually, gateway, httpsServer, problemsIn, site, startEdge } from './kit/edge.ts';
import { BOOKINFO } from './kit/layout.ts';
import { policy } from './kit/rig.ts';
import { createAuthority } from './kit/site-certificates.ts';

const NET = 76;
const GATEWAY = 'ingress/site';
const PORTS = [
  { name: 'http', port: 80, protocol: 'http' },
  { name: 'tcp', port: 9000, protocol: 'tcp' },
  { name: 'tls', port: 9443, protocol: 'tcp', target: 9083 },
] as const;

let edge: Edge;
let server: Identity;

const behaviour = behavioursOf({ net: NET, ports: { ...BOOKINFO.ports, 'bookinfo/reviews': PORTS } }, async (rig) => {
  edge = await startEdge(rig, { address: `127.81.${NET}.5`, name: 'site' });
  server = await (await createAuthority('sites')).issue(['a.example.com']);
});

/** What a client outside of the mesh hears when it sends a line. */
const line = (port: number, servername?: string): Promise<string[]> =>
  callTcp({ address: edge.address, port }, 'hello', servername === undefined ? undefined : { servername });
const heard = (port: number, servername?: string): Promise<string[]> =>
  eventually(async () => {
    const lines = await line(port, servername);
    expect(lines).toEqual([expect.stringMatching(/^reviews-v/), 'hello']);
    return lines;
  });

const to = (port: number): object => ({ destination: { host: 'reviews', port: { number: port } } });
const tcpServer = (port: number, tls?: object): object => ({
  port: { number: port, name: `tcp-${port}`, protocol: tls === undefined ? 'TCP' : 'TLS' },
  hosts: ['*'],
  ...(tls === undefined ? {} : { tls }),
});
const routing = (spec: object): ReturnType<typeof policy> =>
  policy('VirtualService', { hosts: ['*'], gateways: [GATEWAY], ...spec }, { name: 'tcp' });

behaviour('GW-060', 'servers.port.protocol TCP', 'connections are carried by the VirtualService’s tcp rules', async (rig) => {
  await rig.policies([gateway('site', [tcpServer(7000)]), routing({ tcp: [{ route: [to(9000)] }] })]);
  await heard(7000);
});

behaviour('GW-061', 'virtualService.tcp.match.port', 'tcp rules are told apart by the port of the server', async (rig) => {
  const tcp = [{ match: [{ port: 7001 }], route: [to(9000)] }];
  await rig.policies([gateway('site', [tcpServer(7001), tcpServer(7002)]), routing({ tcp })]);
  await heard(7001);
  expect(await line(7002)).toEqual([]);
});

behaviour(
  'GW-062',
  'virtualService.tcp.match.destinationSubnets',
  'tcp rules are told apart by the address that is called',
  async (rig) => {
    const match = (subnet: string): object => ({ match: [{ destinationSubnets: [subnet] }], route: [to(9000)] });
    await rig.policies([gateway('site', [tcpServer(7000)]), routing({ tcp: [match('10.0.0.0/8')] })]);
    await eventually(async () => expect(await line(7000)).toEqual([]));
    await rig.policies([gateway('site', [tcpServer(7000)]), routing({ tcp: [match(`127.81.${NET}.0/24`)] })]);
    await heard(7000);
  },
);

behaviour(
  'GW-063',
  'servers.port.protocol TLS',
  'TLS is ended by the server’s Secret, and what is in it goes on by tcp rules',
  async (rig) => {
    rig.mesh.credentials('east', [credential('site', server)]);
    await rig.policies([
      gateway('site', [tcpServer(7443, { mode: 'SIMPLE', credentialName: 'site' })]),
      routing({ tcp: [{ route: [to(9000)] }] }),
    ]);
    await heard(7443, 'a.example.com');
  },
);

behaviour(
  'GW-064',
  'servers.tls.mode PASSTHROUGH',
  'TLS is let through to the application by the server name of tls rules',
  async (rig) => {
    const tls = [{ match: [{ sniHosts: ['a.example.com'], port: 7443 }], route: [to(9443)] }];
    const site7443 = { ...httpsServer(['*.example.com'], { mode: 'PASSTHROUGH' }, 7443) };
    await rig.policies([gateway('site', [site7443]), routing({ tls })]);
    await heard(7443, 'a.example.com');
    expect(await line(7443, 'b.example.com')).toEqual([]);
  },
);

behaviour(
  'GW-066',
  'virtualService.tcp.route.destination',
  'a destination that is not there closes its connections, and is told',
  async (rig) => {
    await rig.policies([gateway('site', [tcpServer(7000)]), routing({ tcp: [{ route: [{ destination: { host: 'nobody' } }] }] })]);
    expect(problemsIn(rig)).toEqual([
      expect.objectContaining({ policy: 'VirtualService/bookinfo/tcp', field: 'spec.tcp[0].route[0].destination' }),
    ]);
    expect(await line(7000)).toEqual([]);
  },
);

behaviour(
  'GW-067',
  'servers.tls.mode (several on one port)',
  'one port ends TLS for one host and lets it through for another',
  async (rig) => {
    rig.mesh.credentials('east', [credential('site', server)]);
    const tls = [{ match: [{ sniHosts: ['b.example.com'] }], route: [to(9443)] }];
    await rig.policies([
      gateway('site', [
        httpsServer(['a.example.com'], { mode: 'SIMPLE', credentialName: 'site' }, 7443),
        httpsServer(['b.example.com'], { mode: 'PASSTHROUGH' }, 7443),
      ]),
      site(['a.example.com'], [GATEWAY]),
      routing({ hosts: ['b.example.com'], tls }),
    ]);
    await heard(7443, 'b.example.com');
    await edge.expectCall(7443, { host: 'a.example.com', tls: {} }, { status: 200 });
  },
);
