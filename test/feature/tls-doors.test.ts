/** Every door by real handshakes: who is believed, what is told to whom is not, and certificates that change under traffic. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, get, type Server } from 'node:https';
import { type AddressInfo, connect as connectPlain, createServer as createPlainServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { type HubTrust, postToHub } from '@hawser/agent/feed/hub-http.ts';
import { SnapshotStore } from '@hawser/agent/snapshot/snapshot-store.ts';
import { openAuthority } from '@hawser/agent/trust/open-authority.ts';
import { startAdsServer } from '@hawser/agent/xds/ads-server.ts';
import { connectBus } from '@hawser/bus/bus.ts';
import { hubCredentials } from '@hawser/bus/nats-accounts.ts';
import { loadHubKeys } from '@hawser/hub/bus/hub-keys.ts';
import { loadHubConfig } from '@hawser/hub/config.ts';
import { createHttpServer } from '@hawser/hub/http/server.ts';
import { startServers } from '@hawser/hub/servers.ts';
import { openServingAuthority } from '@hawser/hub/serving/serving-authority.ts';
import { certificateFromFiles, issuedCertificate, type LiveCertificate, type ServerCertificate } from '@hawser/runtime/live-certificate.ts';
import { createRegistry } from '@hawser/runtime/metrics.ts';
import { createRunGroup } from '@hawser/runtime/run-group.ts';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { freePort } from '../kit/ports.ts';

const log = pino({ level: 'silent' });
const NAMES = ['127.0.0.1', 'localhost'];
const folder = mkdtempSync(join(tmpdir(), 'hawser-tls-'));
const ends: (() => unknown)[] = [];
let own: Awaited<ReturnType<typeof openServingAuthority>>;
let foreign: Awaited<ReturnType<typeof openServingAuthority>>;

beforeAll(async () => {
  own = await openServingAuthority(join(folder, 'own'));
  foreign = await openServingAuthority(join(folder, 'foreign'));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A certificate that changes when the test says so. */
function settable(first: ServerCertificate): LiveCertificate & { set(next: ServerCertificate): void } {
  const callbacks = new Set<(certificate: ServerCertificate) => void>();
  const live = {
    current: first,
    onChange: (callback: (certificate: ServerCertificate) => void) => {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
    stop: () => undefined,
    set: (next: ServerCertificate) => {
      live.current = next;
      for (const callback of callbacks) callback(next);
    },
  };
  return live;
}

/** The hub's own HTTP edge. */
async function startApi(tls: LiveCertificate): Promise<number> {
  const access = { check: async () => undefined } as unknown as Parameters<typeof createHttpServer>[0]['access'];
  const app = createHttpServer({ access, log, registry: createRegistry(), readiness: [], tls } as Parameters<typeof createHttpServer>[0]);
  await app.listen({ host: '127.0.0.1', port: 0 });
  ends.push(() => app.close());
  return (app.server.address() as AddressInfo).port;
}

/** A server of somebody else, and everything that it was told. */
async function startImpostor(certificate: ServerCertificate): Promise<{ port: number; heard: string[] }> {
  const heard: string[] = [];
  const server: Server = createServer({ ...certificate }, (request, response) => {
    request.on('data', (part) => heard.push(String(part)));
    request.on('end', () => response.end('{}'));
  });
  server.on('request', ({ url = '' }) => heard.push(url));
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => server.close());
  return { port: (server.address() as AddressInfo).port, heard };
}

/** Shakes hands; resolves with the socket, rejects with the alert's or the check's code. */
function shake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ...options }, () => resolve(socket));
    socket.once('error', reject);
  });
}

async function servedSerial(port: number, ca: string, options: ConnectionOptions = {}): Promise<string> {
  const socket = await shake(port, { ...options, ca });
  const serial = socket.getPeerX509Certificate()?.serialNumber ?? '';
  socket.destroy();
  return serial;
}

function status(port: number, ca: string, agent: Agent): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: '/livez', ca, agent }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    request.once('error', reject);
  });
}

describe('the API', () => {
  it('is believed by its own CA alone, for its names, while its certificate lives; and never below TLS 1.2', async () => {
    const port = await startApi(settable(await own.issue(NAMES)));
    await expect(servedSerial(port, own.caPem)).resolves.toMatch(/^[0-9A-F]{32}$/);
    await expect(servedSerial(port, foreign.caPem)).rejects.toMatchObject({ code: 'SELF_SIGNED_CERT_IN_CHAIN' });
    await expect(servedSerial(port, own.caPem, { servername: 'other.example' })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(servedSerial(port, own.caPem, old)).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
    await expect(servedSerial(port, own.caPem, { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })).resolves.not.toBe('');
    await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow();
    const expired = await startApi(settable(await own.issue(NAMES, -60_000)));
    await expect(servedSerial(expired, own.caPem)).rejects.toMatchObject({ code: 'CERT_HAS_EXPIRED' });
  });

  it('takes up new certificate files under traffic without losing a request, and never a pair that does not fit', async () => {
    const [certFile, keyFile] = [join(folder, 'api.pem'), join(folder, 'api.key')];
    const put = ({ cert, key }: ServerCertificate): void => {
      writeFileSync(keyFile, key);
      writeFileSync(certFile, cert);
    };
    put(await own.issue(NAMES));
    const live = await certificateFromFiles({ certFile, keyFile, pollMs: 10 }, log);
    ends.push(() => live.stop());
    const port = await startApi(live);
    const [kept, fresh] = [new Agent({ keepAlive: true, maxSockets: 1 }), new Agent({ keepAlive: false })];
    ends.push(() => kept.destroy());
    const answers: (number | undefined)[] = [];
    const over = new AbortController();
    const traffic = (async () => {
      while (!over.signal.aborted) answers.push(await status(port, own.caPem, kept), await status(port, own.caPem, fresh));
    })();
    const serials = new Set([await servedSerial(port, own.caPem)]);
    for (let round = 0; round < 3; round += 1) {
      const before = [...serials].at(-1);
      put(await own.issue(NAMES));
      await until(
        async () => (await servedSerial(port, own.caPem)) !== before,
        () => 'the new certificate is not served',
      );
      serials.add(await servedSerial(port, own.caPem));
    }
    const last = await servedSerial(port, own.caPem);
    writeFileSync(certFile, (await own.issue(NAMES)).cert); // its key is missing
    const asked = answers.length;
    await until(
      () => answers.length > asked + 40,
      () => 'no traffic',
    );
    expect(await servedSerial(port, own.caPem)).toBe(last);
    over.abort();
    await traffic;
    expect(serials.size).toBe(4);
    expect(answers.filter((answer) => answer !== 200)).toEqual([]);
  });

  it('resumes no session that began under an earlier certificate', async () => {
    const live = settable(await own.issue(NAMES));
    const port = await startApi(live);
    const options = { ca: own.caPem, maxVersion: 'TLSv1.2' } as const;
    const first = await shake(port, options);
    const session = first.getSession();
    first.destroy();
    const resumed = async (): Promise<boolean> => {
      const socket = await shake(port, { ...options, ...(session === undefined ? {} : { session }) });
      const reused = socket.isSessionReused();
      socket.destroy();
      return reused;
    };
    expect(await resumed()).toBe(true);
    live.set(await own.issue(NAMES));
    expect(await resumed()).toBe(false);
  });

  it('renews what it issues long before it ends', async () => {
    const live = await issuedCertificate(() => own.issue(NAMES, 2_000), log);
    ends.push(() => live.stop());
    const first = live.current.cert;
    await until(
      () => live.current.cert !== first,
      () => 'it was not renewed',
    );
  });
});

describe('a join', () => {
  const SECRET = 'the-secret-of-the-join-token';
  const join_ = (port: number, trust: HubTrust, host = '127.0.0.1') =>
    postToHub(`https://${host}:${port}/join/v1/enroll`, { secret: SECRET }, { trust, timeoutMs: 10_000 });

  it('speaks to the hub whose CA the token pins', async () => {
    const hub = await startImpostor(await own.issue(NAMES));
    await expect(join_(hub.port, { pin: own.pin })).resolves.toMatchObject({ status: 200 });
    expect(hub.heard.join()).toContain(SECRET);
  });

  it('tells nothing to whoever is in between', async () => {
    const chained = await foreign.issue(NAMES);
    const leafOnly = await own.issue(NAMES);
    const impostors: [string, ServerCertificate, HubTrust][] = [
      ['another CA', chained, { pin: own.pin }],
      ['another CA, with the right one shown beside it', { ...chained, cert: chained.cert + own.caPem }, { pin: own.pin }],
      ['a leaf of another CA before the right CA', { ...chained, cert: chained.cert.replace(foreign.caPem, own.caPem) }, { pin: own.pin }],
      ['another name', await own.issue(['hub.example']), { pin: own.pin }],
      ['expired', await own.issue(NAMES, -60_000), { pin: own.pin }],
      ['no pin, and a CA that the system does not know', leafOnly, {}],
      ['no pin, and a CA that is not the one of --ca-file', chained, { ca: own.caPem }],
    ];
    for (const [who, certificate, trust] of impostors) {
      const impostor = await startImpostor(certificate);
      await expect(join_(impostor.port, trust), who).rejects.toMatchObject({ code: 'hub-untrusted' });
      expect(impostor.heard, who).toEqual([]);
    }
  });

  it('does not fall back to plain text', async () => {
    const heard: string[] = [];
    const plain = createPlainServer((socket) =>
      socket.on('data', (bytes) => heard.push(bytes.toString('latin1'))).on('error', () => undefined),
    );
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    ends.push(() => plain.close());
    const { port } = plain.address() as AddressInfo;
    const asked = postToHub(`https://127.0.0.1:${port}/join`, { secret: SECRET }, { trust: { pin: own.pin }, timeoutMs: 500 });
    await expect(asked).rejects.toMatchObject({ code: 'hub-unreachable' });
    expect(heard.join('')).not.toContain(SECRET);
    const beyond = postToHub('http://hub.example/join', { secret: SECRET }, { trust: {}, timeoutMs: 500 });
    await expect(beyond).rejects.toMatchObject({ code: 'plaintext-refused' });
  });
});

describe('the hub’s NATS', () => {
  it('serves TLS alone, believes in its CA, and takes up a new certificate while clients stay connected', { timeout: 60_000 }, async () => {
    const stateDir = join(folder, 'nats');
    const config = loadHubConfig({ stateDir, natsPort: String(await freePort()), tls: 'on', databaseUrl: 'postgres://127.0.0.1/none' }, {});
    const keys = await loadHubKeys(config.keysDir);
    const live = settable(await own.issue(NAMES));
    const group = createRunGroup(log);
    ends.push(() => {
      group.stop('the test is over');
      return group.stopped;
    });
    const { natsUrls } = await startServers(config, keys, { group, log, doors: { nats: live } });
    expect(natsUrls).toEqual([`tls://127.0.0.1:${config.natsPort}`]);
    const bus = async (options: { urls: readonly string[]; ca?: string }) => {
      const made = await connectBus({ ...options, name: 'test', credentials: await hubCredentials(keys.operator), log });
      ends.push(() => made.close());
      return made;
    };
    const good = await bus({ urls: natsUrls, ca: own.caPem });
    await good.ready();
    const states: boolean[] = [];
    good.onStatus((connected) => states.push(connected));
    await expect(natsSerial(config.natsPort, foreign.caPem)).rejects.toMatchObject({ code: 'SELF_SIGNED_CERT_IN_CHAIN' });
    const old = { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(natsSerial(config.natsPort, own.caPem, old)).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
    const before = await natsSerial(config.natsPort, own.caPem);
    live.set(await own.issue(NAMES));
    await until(
      async () => (await natsSerial(config.natsPort, own.caPem)) !== before,
      () => 'NATS still shows the old certificate',
    );
    expect(states).toEqual([true]);
    expect(good.publish('hawser.test', new Uint8Array(1))).toBe(true);
  });

  it('is left at once when it offers no TLS, before the client has said who it is', async () => {
    const heard: string[] = [];
    const stripped = createPlainServer((socket) => {
      socket.on('data', (bytes) => heard.push(bytes.toString())).on('error', () => undefined);
      socket.on('close', () => heard.push('closed'));
      socket.write(
        `INFO ${JSON.stringify({ server_id: 'x', server_name: 'x', version: '2.11.0', proto: 1, headers: true, max_payload: 1_048_576, nonce: 'abc' })}\r\n`,
      );
    });
    await new Promise<void>((resolve) => stripped.listen(0, '127.0.0.1', resolve));
    ends.push(() => stripped.close());
    const { port } = stripped.address() as AddressInfo;
    const { operator } = await loadHubKeys(join(folder, 'stripped'));
    const bus = await connectBus({
      urls: [`tls://127.0.0.1:${port}`],
      ca: own.caPem,
      name: 'test',
      credentials: await hubCredentials(operator),
      log,
    });
    await until(
      () => heard.includes('closed'),
      () => 'the client stays',
    );
    await bus.close();
    expect(heard.filter((text) => text !== 'closed')).toEqual([]);
  });
});

/** NATS greets in plain text (its protocol), and goes on by TLS: the serial number that it shows then. */
function natsSerial(port: number, ca: string, options: ConnectionOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectPlain({ host: '127.0.0.1', port });
    socket.once('error', reject);
    socket.once('data', () => {
      const secured = connect({ socket, host: '127.0.0.1', ca, ...options }, () => {
        resolve(secured.getPeerX509Certificate()?.serialNumber ?? '');
        secured.destroy();
      });
      secured.once('error', reject);
    });
  });
}

describe('xDS', () => {
  it('shows the agent’s own identity, takes up a new certificate, and keeps open connections', async () => {
    const authority = await openAuthority(join(folder, 'agent'), 'us-east.hawser');
    const issue = async (): Promise<ServerCertificate> => {
      const { certificateChainPem: cert, privateKeyPem: key } = await authority.issueAgent();
      return { cert, key };
    };
    const live = settable(await issue());
    const gate = {
      authenticate: async () => undefined,
      attach: () => undefined,
      detach: () => undefined,
      ready: false,
      onReady: () => undefined,
    };
    const identities = { hold: () => Promise.reject(new Error('nobody has a token')) };
    const server = await startAdsServer({
      ...{
        address: '127.0.0.1',
        port: 0,
        store: new SnapshotStore(),
        gate,
        identities,
        log,
        registry: createRegistry(),
        certificate: live,
      },
    } as Parameters<typeof startAdsServer>[0]);
    ends.push(() => server.stop());
    const root = authority.trustBundle.join('');
    const tls = { ca: root, ALPNProtocols: ['h2'], checkServerIdentity: () => undefined } as const;
    const open = await shake(server.port, tls);
    expect(open.alpnProtocol).toBe('h2');
    expect(open.getPeerX509Certificate()?.subjectAltName).toBe('URI:spiffe://us-east.hawser/agent');
    const before = open.getPeerX509Certificate()?.serialNumber;
    live.set(await issue());
    expect(await servedSerial(server.port, root, tls)).not.toBe(before);
    expect(open.destroyed).toBe(false);
    open.destroy();
    await expect(servedSerial(server.port, own.caPem, tls)).rejects.toMatchObject({ code: expect.stringMatching(/UNABLE_TO|SELF_SIGNED/) });
    const old = { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(servedSerial(server.port, root, { ...tls, ...old })).rejects.toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    });
  });
});
