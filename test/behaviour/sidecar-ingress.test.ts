/** Sidecar: how a workload takes in what calls it, from the mesh and from outside of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import type { Identity } from '../datapath/kit/pki.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { type At, callTcp } from './kit/clients.ts';
import { APP_PORTS } from './kit/echo-app.ts';
import { eventually, problemsIn } from './kit/edge.ts';
import { BOOKINFO, type Layout } from './kit/layout.ts';
import { callOutside, type OutsideCall, type OutsideReply } from './kit/outside-client.ts';
import { policy, type Rig } from './kit/rig.ts';
import { createAuthority } from './kit/site-certificates.ts';

const NET = 118;
/** Where ratings' application is, and where its sidecar listens for callers outside. */
const [APP, DOOR] = [`127.81.${NET}.24`, `127.81.${NET}.31`];
const RATINGS = 'ratings.bookinfo.svc.clusterset.local';

const layout: Partial<Layout> = {
  ports: {
    ...BOOKINFO.ports,
    'bookinfo/ratings': [
      { name: 'http', port: 80, protocol: 'http', target: APP_PORTS.http },
      { name: 'new', port: 82, protocol: 'http', target: APP_PORTS.http2 },
      { name: 'tcp', port: 7000, protocol: 'tcp', target: APP_PORTS.tcp },
    ],
  },
};

let server: Identity;
let alice: Identity;
let mallory: Identity;
let [authority, clients] = ['', ''];
const folder = mkdtempSync(join(tmpdir(), 'hawser-sidecar-'));

const behaviour = behavioursOf({ net: NET, ...layout }, async () => {
  const [sites, partners] = [await createAuthority('sites'), await createAuthority('clients')];
  [authority, clients] = [sites.certificate, partners.certificate];
  server = await sites.issue(['ratings.example.com']);
  alice = await partners.issue(['alice.example.org']);
  mallory = await (await createAuthority('others')).issue(['mallory.example.org']);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The Sidecar of ratings. */
function ofRatings(spec: object): ReturnType<typeof policy> {
  return policy('Sidecar', { workloadSelector: { labels: { app: 'ratings' } }, ...spec });
}

/** What the application at a port answers to a call of the mesh, when the answer is as wanted. */
function answered(rig: Rig, port: number, status: number): Promise<string> {
  return eventually(async () => {
    const reply = await rig.call({ host: `${RATINGS}:${port}` });
    expect(reply.status).toBe(status);
    return reply.servedBy;
  });
}

/** Calls from outside of the mesh until the answer is as wanted. */
function outside(port: number, call: Partial<OutsideCall>, wanted: Partial<OutsideReply>): Promise<OutsideReply> {
  return eventually(async () => {
    const reply = await callOutside({ address: DOOR, port }, { host: 'ratings.example.com', ...call });
    expect(reply).toMatchObject(wanted);
    return reply;
  });
}

behaviour(
  'SC-030',
  'Sidecar.inboundConnectionPool.http.h2UpgradePolicy',
  'UPGRADE speaks HTTP/2 to an application that knows nothing else, on a port of HTTP',
  async (rig) => {
    await rig.policies([]);
    expect(await answered(rig, 82, 502)).toBe('');
    await rig.policies([ofRatings({ inboundConnectionPool: { http: { h2UpgradePolicy: 'UPGRADE' } } })]);
    expect(await answered(rig, 82, 200)).toBe('ratings-v1');
  },
);

behaviour(
  'SC-031',
  'Sidecar.inboundConnectionPool.http.useClientProtocol',
  'the application hears the version of HTTP that its caller’s sidecar speaks',
  async (rig) => {
    const asCalled = ofRatings({ inboundConnectionPool: { http: { useClientProtocol: true } } });
    await rig.policies([asCalled]);
    expect(await answered(rig, 82, 200)).toBe('ratings-v1');
    const old = { host: 'ratings', trafficPolicy: { connectionPool: { http: { h2UpgradePolicy: 'DO_NOT_UPGRADE' } } } };
    await rig.policies([asCalled, policy('DestinationRule', old)]);
    expect(await answered(rig, 80, 200)).toBe('ratings-v1');
  },
);

/** A connection of productpage to ratings' TCP port that answers, and says something now and then if it shall. Resolves when it is cut. */
async function cut(rig: Rig, everyMs?: number): Promise<void> {
  const at = await eventually(async () => {
    const found = await rig.listener(`outbound_tcp|7000|${RATINGS}`);
    if (found === undefined || (await callTcp(found, 'hello')).length !== 2) throw new Error('the port of TCP does not answer');
    return found;
  });
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host: at.address, port: at.port }).resume();
    const speaking = everyMs === undefined ? undefined : setInterval(() => socket.write('more\n'), everyMs);
    const done = (end: () => void): void => {
      clearInterval(speaking);
      socket.destroy();
      end();
    };
    const late = setTimeout(() => done(() => reject(new Error('the connection lasts'))), 20_000);
    socket.on('close', () => done(resolve));
    socket.on('error', () => done(resolve));
    socket.on('close', () => clearTimeout(late));
  });
}

behaviour('SC-032', 'Sidecar.inboundConnectionPool.tcp.idleTimeout', 'a connection that is silent for so long is closed', async (rig) => {
  await rig.policies([ofRatings({ inboundConnectionPool: { tcp: { idleTimeout: '1s' } } })]);
  await cut(rig);
});

behaviour(
  'SC-033',
  'Sidecar.inboundConnectionPool.tcp.maxConnectionDuration',
  'a connection is closed when it is so old, however busy it is',
  async (rig) => {
    await rig.policies([ofRatings({ inboundConnectionPool: { tcp: { maxConnectionDuration: '1s' } } })]);
    await cut(rig, 50);
  },
);

behaviour('SC-034', 'Sidecar.ingress.connectionPool', 'settings of a port take the place of those for all', async (rig) => {
  const port = { number: APP_PORTS.http2, protocol: 'HTTP', name: 'new' };
  const ingress = [{ port, connectionPool: { http: { h2UpgradePolicy: 'UPGRADE' } } }];
  await rig.policies([ofRatings({ inboundConnectionPool: { http: { h2UpgradePolicy: 'DO_NOT_UPGRADE' } }, ingress })]);
  expect(await answered(rig, 82, 200)).toBe('ratings-v1');
});

const HTTP = { number: APP_PORTS.http, protocol: 'HTTP', name: 'http' };

behaviour('SC-035', 'Sidecar.ingress.bind', 'the sidecar answers callers outside of the mesh at this address', async (rig) => {
  const ingress = [
    { port: HTTP, bind: DOOR },
    { port: { number: APP_PORTS.tcp, protocol: 'TCP' }, bind: DOOR },
  ];
  await rig.policies([ofRatings({ ingress })]);
  const reply = await outside(APP_PORTS.http, { headers: { 'x-forwarded-for': '10.9.9.9' } }, { status: 200, servedBy: 'ratings-v1' });
  expect(reply.got?.headers['x-request-id']).toMatch(/^[-0-9a-f]{36}$/);
  expect(reply.got?.headers['x-forwarded-for']).toMatch(/^10\.9\.9\.9,[0-9.]+$/);
  expect(await callTcp({ address: DOOR, port: APP_PORTS.tcp }, 'hello')).toEqual(['ratings-v1', 'hello']);
  expect(await answered(rig, 80, 200)).toBe('ratings-v1');
});

behaviour(
  'SC-036',
  'Sidecar.ingress.captureMode',
  'NONE listens at the workload itself, in front of an application elsewhere',
  async (rig) => {
    const ingress = [
      { port: { number: 9443, protocol: 'HTTP', name: 'door' }, captureMode: 'NONE', defaultEndpoint: `${APP}:${APP_PORTS.http}` },
    ];
    await rig.policies([ofRatings({ ingress })]);
    await eventually(async () => {
      const reply = await callOutside({ address: APP, port: 9443 }, { host: 'ratings.example.com' });
      expect(reply).toMatchObject({ status: 200, servedBy: 'ratings-v1' });
    });
    await rig.policies([ofRatings({ ingress: [{ ...ingress[0], captureMode: 'IPTABLES' }] })]);
    await eventually(async () => expect((await callOutside({ address: APP, port: 9443 }, { host: 'x' })).status).toBe(0));
  },
);

/** The Sidecar of ratings with TLS for callers outside, at `DOOR`. */
function secured(tls: object, port: object = HTTP): ReturnType<typeof policy> {
  return ofRatings({ ingress: [{ port, bind: DOOR, tls }] });
}

/** The certificate of ratings' door as a Secret, with what it checks clients by. */
function secret(rig: Rig): void {
  rig.mesh.credentials('east', [{ namespace: 'bookinfo', name: 'door', keyPair: server, authorities: clients }]);
}

const shown = ({ certificate, key }: Identity): NonNullable<OutsideCall['tls']> => ({ cert: certificate, key });

behaviour(
  'SC-037',
  'Sidecar.ingress.tls.mode SIMPLE',
  'callers outside are answered by TLS with the Secret’s certificate, in plain by nobody, and callers of the mesh as ever',
  async (rig) => {
    secret(rig);
    await rig.policies([secured({ mode: 'SIMPLE', credentialName: 'door' })]);
    const verified = { ca: authority, rejectUnauthorized: true };
    const reply = await outside(APP_PORTS.http, { tls: verified }, { status: 200, servedBy: 'ratings-v1' });
    expect(reply.got?.headers['x-forwarded-proto']).toBe('https');
    await outside(APP_PORTS.http, { tls: verified, http2: true }, { status: 200 });
    await outside(APP_PORTS.http, {}, { status: 0 });
    expect(await answered(rig, 80, 200)).toBe('ratings-v1');
  },
);

behaviour('SC-038', 'Sidecar.ingress.tls.mode MUTUAL', 'callers outside must show a certificate of the right authority', async (rig) => {
  secret(rig);
  await rig.policies([secured({ mode: 'MUTUAL', credentialName: 'door' })]);
  await outside(APP_PORTS.http, { tls: shown(alice) }, { status: 200, servedBy: 'ratings-v1' });
  await outside(APP_PORTS.http, { tls: shown(mallory) }, { status: 0 });
  await outside(APP_PORTS.http, { tls: {} }, { status: 0 });
});

behaviour('SC-039', 'Sidecar.ingress.tls.subjectAltNames', 'of those who have one, who has one of the names', async (rig) => {
  secret(rig);
  await rig.policies([secured({ mode: 'MUTUAL', credentialName: 'door', subjectAltNames: ['alice.example.org'] })]);
  await outside(APP_PORTS.http, { tls: shown(alice) }, { status: 200 });
  await rig.policies([secured({ mode: 'MUTUAL', credentialName: 'door', subjectAltNames: ['bob.example.org'] })]);
  await outside(APP_PORTS.http, { tls: shown(alice) }, { status: 0 });
});

behaviour('SC-040', 'Sidecar.ingress.tls.serverCertificate', 'the certificate is of files of the proxy’s machine', async (rig) => {
  const [serverCertificate, privateKey] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  writeFileSync(serverCertificate, server.certificate);
  writeFileSync(privateKey, server.key, { mode: 0o600 });
  const https = { number: APP_PORTS.http, protocol: 'HTTPS', name: 'https' };
  await rig.policies([secured({ mode: 'SIMPLE', serverCertificate, privateKey }, https)]);
  await outside(APP_PORTS.http, { tls: { ca: authority, rejectUnauthorized: true } }, { status: 200, servedBy: 'ratings-v1' });
});

behaviour(
  'SC-041',
  'Sidecar.ingress.tls.credentialName',
  'without its Secret nothing listens, in plain neither, and that is told',
  async (rig) => {
    rig.mesh.credentials('east', []);
    await rig.policies([secured({ mode: 'SIMPLE', credentialName: 'gone' })]);
    const at: At = { address: DOOR, port: APP_PORTS.http };
    await eventually(async () => expect((await callOutside(at, { host: 'x' })).status).toBe(0));
    expect(problemsIn(rig)).toEqual([
      {
        policy: 'Sidecar/bookinfo/sidecar',
        field: 'spec.ingress[0].tls.credentialName',
        message: expect.stringContaining('there is no Secret bookinfo/gone'),
      },
    ]);
    expect(await answered(rig, 80, 200)).toBe('ratings-v1');
  },
);

behaviour('SC-042', 'Sidecar.ingress.tls.httpsRedirect', 'callers outside are told to come again by HTTPS', async (rig) => {
  await rig.policies([secured({ httpsRedirect: true })]);
  const reply = await outside(APP_PORTS.http, { path: '/a' }, { status: 301 });
  expect(reply.headers['location']).toBe('https://ratings.example.com/a');
  expect(await answered(rig, 80, 200)).toBe('ratings-v1');
});
