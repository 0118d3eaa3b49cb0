/** DestinationRule: TLS and the PROXY protocol to hosts outside of the mesh. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, expect } from 'vitest';
import type { Identity } from '../datapath/kit/pki.ts';
import { behavioursOf } from './kit/behaviour.ts';
import type { Reply } from './kit/clients.ts';
import { policy, type Rig } from './kit/rig.ts';
import { type Authority, createAuthority } from './kit/site-certificates.ts';

const HOST = 'api.example.com';
const ADDRESS = '127.81.45.41';
const files = mkdtempSync(join(tmpdir(), 'hawser-rule-tls-'));
const servers: Server[] = [];
let authority: Authority;

const behaviour = behavioursOf({ net: 45 }, async () => {
  authority = await createAuthority('outside');
  const site = await authority.issue([HOST, 'api.internal']);
  const other = await authority.issue(['other.example.com']);
  const revoked = await authority.issue([HOST]);
  const client = await authority.issue(['client.example.com']);
  file('ca.pem', authority.certificate);
  file('strange.pem', (await createAuthority('strange')).certificate);
  file('revoked.pem', await authority.revoke([revoked]));
  file('client.pem', client.certificate);
  file('client.key', client.key);
  await Promise.all([serve(site, 9443), serve(other, 9444), serve(site, 9445, true), serve(revoked, 9446), greet(9447)]);
});

afterAll(() => {
  for (const server of servers) server.close();
  rmSync(files, { recursive: true });
});

function file(name: string, text: string): void {
  writeFileSync(join(files, name), text, { mode: 0o600 });
}

/** A site that says what it was told in the handshake. */
async function serve({ certificate, key }: Identity, port: number, isMutual = false): Promise<void> {
  const options = {
    cert: certificate,
    key,
    ca: authority.certificate,
    requestCert: isMutual,
    rejectUnauthorized: isMutual,
    allowHTTP1: true,
  };
  const server = createSecureServer(options, (request, response) => {
    const socket = request.socket as TLSSocket;
    const seen = {
      sni: socket.servername,
      alpn: socket.alpnProtocol,
      client: isMutual ? socket.getPeerCertificate().subject?.CN : undefined,
    };
    (response as unknown as ServerResponse)
      .writeHead(200, { 'x-seen': JSON.stringify(seen) })
      .end((request as unknown as IncomingMessage).httpVersion);
  });
  server.on('tlsClientError', () => undefined);
  await listening(server, port);
}

/** A server that answers with the first line that it gets. */
function greet(port: number): Promise<void> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (text: Buffer) => {
      const line = text.toString('latin1').split('\r\n')[0] ?? '';
      const isBinary = text.subarray(0, 12).equals(Buffer.from('0d0a0d0a000d0a515549540a', 'hex'));
      const body = isBinary ? 'PROXY 2' : line;
      socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
    });
  });
  return listening(server, port);
}

function listening(server: Server, port: number): Promise<void> {
  servers.push(server);
  return new Promise((resolve) => void server.listen(port, ADDRESS, resolve));
}

/** Calls the site at a port of its address under a rule; the rule's paths are below `files`. */
function ask(rig: Rig, trafficPolicy: unknown, port = 9443): Promise<Reply & { seen: Record<string, unknown> }> {
  return askBy(rig, { host: HOST, trafficPolicy }, port);
}

async function askBy(rig: Rig, rule: unknown, port = 9443): Promise<Reply & { seen: Record<string, unknown> }> {
  const ports = [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: port }];
  const entry = policy('ServiceEntry', {
    hosts: [HOST],
    resolution: 'STATIC',
    location: 'MESH_EXTERNAL',
    ports,
    endpoints: [{ address: ADDRESS }],
  });
  await rig.policies([entry, policy('DestinationRule', rule)]);
  const reply = await rig.call({ host: HOST });
  return { ...reply, seen: JSON.parse(reply.headers['x-seen'] ?? '{}') as Record<string, unknown> };
}

const at = (name: string): string => join(files, name);
const simple = (more: object = {}): object => ({ tls: { mode: 'SIMPLE', caCertificates: at('ca.pem'), ...more } });

behaviour('DR-080', 'trafficPolicy.tls.mode', 'SIMPLE calls a host outside by TLS; DISABLE, or no rule, in plain', async (rig) => {
  expect((await ask(rig, simple())).status).toBe(200);
  expect((await ask(rig, { tls: { mode: 'DISABLE' } })).status).toBe(503);
});

behaviour('DR-081', 'trafficPolicy.tls.caCertificates', 'a server is believed by these authorities alone', async (rig) => {
  expect((await ask(rig, simple())).status).toBe(200);
  expect((await ask(rig, simple({ caCertificates: at('strange.pem') }))).status).toBe(503);
});

behaviour('DR-082', 'trafficPolicy.tls.mode', 'without authorities of its own a rule believes those of the proxy’s system', async (rig) => {
  expect((await ask(rig, { tls: { mode: 'SIMPLE' } })).status).toBe(503);
});

behaviour('DR-083', 'trafficPolicy.tls.sni', 'the server is told this name, else the host that was called', async (rig) => {
  expect((await ask(rig, simple())).seen['sni']).toBe(HOST);
  expect((await ask(rig, simple({ sni: 'api.internal' }))).seen['sni']).toBe('api.internal');
});

behaviour(
  'DR-084',
  'trafficPolicy.tls.subjectAltNames',
  'the certificate has to be for one of these names, else for the host',
  async (rig) => {
    expect((await ask(rig, simple(), 9444)).status).toBe(503);
    expect((await ask(rig, simple({ subjectAltNames: ['x.example.com', 'other.example.com'] }), 9444)).status).toBe(200);
    expect((await ask(rig, simple({ subjectAltNames: ['x.example.com'] }))).status).toBe(503);
  },
);

behaviour('DR-085', 'trafficPolicy.tls.insecureSkipVerify', 'a server is believed whoever it is', async (rig) => {
  expect((await ask(rig, { tls: { mode: 'SIMPLE', insecureSkipVerify: true } }, 9444)).status).toBe(200);
});

behaviour('DR-086', 'trafficPolicy.tls.caCrl', 'a certificate on this list is not believed', async (rig) => {
  expect((await ask(rig, simple(), 9446)).status).toBe(200);
  expect((await ask(rig, simple({ caCrl: at('revoked.pem') }), 9446)).status).toBe(503);
});

behaviour(
  'DR-087',
  'trafficPolicy.tls.clientCertificate',
  'MUTUAL shows a certificate of the rule’s, without which the server says no',
  async (rig) => {
    const own = { mode: 'MUTUAL', clientCertificate: at('client.pem'), privateKey: at('client.key') };
    const { status, seen } = await ask(rig, simple(own), 9445);
    expect([status, seen['client']]).toEqual([200, 'client.example.com']);
    expect((await ask(rig, simple(), 9445)).status).toBe(503);
  },
);

behaviour(
  'DR-088',
  'trafficPolicy.connectionPool.http.h2UpgradePolicy',
  'UPGRADE calls a host outside by HTTP/2, which is else HTTP/1.1',
  async (rig) => {
    expect((await ask(rig, simple())).body).toBe('1.1');
    expect((await ask(rig, { ...simple(), connectionPool: { http: { h2UpgradePolicy: 'UPGRADE' } } })).body).toBe('2.0');
  },
);

behaviour('DR-089', 'trafficPolicy.portLevelSettings.tls', 'a port has TLS of its own', async (rig) => {
  expect((await ask(rig, { portLevelSettings: [{ port: { number: 80 }, ...simple() }] })).status).toBe(200);
  expect((await ask(rig, { ...simple(), portLevelSettings: [{ port: { number: 80 }, loadBalancer: { simple: 'RANDOM' } }] })).status).toBe(
    503,
  );
});

behaviour('DR-090', 'trafficPolicy.proxyProtocol.version', 'the server is told who calls, in version 1 or 2', async (rig) => {
  expect((await ask(rig, { proxyProtocol: { version: 'V1' } }, 9447)).body).toMatch(/^PROXY TCP4 127\.0\.0\.1 /);
  expect((await ask(rig, { proxyProtocol: { version: 'V2' } }, 9447)).body).toBe('PROXY 2');
  expect((await ask(rig, {}, 9447)).body).toBe('GET / HTTP/1.1');
});

behaviour(
  'DR-091',
  'trafficPolicy.connectionPool.http.useClientProtocol',
  'a host outside hears the version that the caller speaks',
  async (rig) => {
    await ask(rig, { ...simple(), connectionPool: { http: { useClientProtocol: true } } });
    expect((await rig.call({ host: HOST })).body).toBe('1.1');
    expect((await rig.call({ host: HOST, http2: true })).body).toBe('2.0');
  },
);

behaviour('DR-092', 'trafficPolicy.proxyProtocol', 'for a service of the mesh the PROXY protocol is refused', async (rig) => {
  const rule = policy('DestinationRule', { host: 'reviews', trafficPolicy: { proxyProtocol: { version: 'V1' } } });
  await expect(rig.policies([rule])).rejects.toThrow(/hosts outside of the mesh/);
  await rig.policies([
    policy('DestinationRule', { host: '*', trafficPolicy: { proxyProtocol: { version: 'V1' }, tls: { mode: 'DISABLE' } } }),
  ]);
  expect((await rig.call()).got?.headers['x-forwarded-client-cert']).toContain('spiffe://');
});

/** A rule for the callers with this label alone. */
function selecting(trafficPolicy: unknown): unknown {
  return { host: HOST, trafficPolicy, workloadSelector: { matchLabels: { app: 'productpage' } } };
}

behaviour(
  'DR-093',
  'trafficPolicy.tls.credentialName',
  'a Secret of the registry takes the place of files, for the callers that the rule selects',
  async (rig) => {
    const own = { certificate: readFileSync(at('client.pem'), 'utf8'), key: readFileSync(at('client.key'), 'utf8') };
    rig.mesh.credentials('east', [{ namespace: 'bookinfo', name: 'client', keyPair: own, authorities: authority.certificate }]);
    const endpoints = [{ address: rig.clientAddress(), labels: { app: 'productpage' } }];
    rig.mesh.service('bookinfo/productpage', 'east', { endpoints });
    const tls = { mode: 'MUTUAL', credentialName: 'client' };
    const { status, seen } = await askBy(rig, selecting({ tls }), 9445);
    expect([status, seen['client']]).toEqual([200, 'client.example.com']);
    expect(await rig.client().admin('/certs')).toContain('client.example.com');
    const unselected = policy('DestinationRule', { host: HOST, trafficPolicy: { tls } });
    await expect(rig.policies([unselected])).rejects.toThrow(/needs a workloadSelector/);
  },
);

behaviour(
  'DR-094',
  'workloadSelector.matchLabels',
  'a rule holds for the callers that have these labels, and for no others',
  async (rig) => {
    const endpoints = (app: string) => [{ address: rig.clientAddress(), labels: { app } }];
    rig.mesh.service('bookinfo/productpage', 'east', { endpoints: endpoints('productpage') });
    expect((await askBy(rig, selecting(simple()))).status).toBe(200);
    rig.mesh.service('bookinfo/productpage', 'east', { endpoints: endpoints('other') });
    await rig.settled();
    expect((await rig.call({ host: HOST })).status).toBe(503);
  },
);
