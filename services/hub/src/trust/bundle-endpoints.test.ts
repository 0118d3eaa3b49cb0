/** Bundle endpoints asked over real TLS, into a real database, up to the roster. */
import { createPublicKey, X509Certificate } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { BundleEndpoint } from '@hawser/model/trust-domain.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, createAuthority } from '../../../../test/behaviour/kit/site-certificates.ts';
import { createTrustDomain, type Identity, type TrustDomain } from '../../../../test/datapath/kit/pki.ts';
import { startTestHubOnPostgres, type TestHubOnPostgres } from '../../../../test/kit/hub-core.ts';
import { silent } from '../hub-process-fixture.ts';
import { BundlePoller } from './bundle-poller.ts';
import { fetchBundle } from './fetch-bundle.ts';

const never = new AbortController().signal;
const TRUST_DOMAINS = '/apis/hawser.dev/v1alpha1/trustdomains';
let web: Authority;
let out: TrustDomain;
let evil: TrustDomain;
const servers: Server[] = [];

beforeAll(async () => {
  web = await createAuthority('web');
  [out, evil] = [await createTrustDomain('out.test'), await createTrustDomain('evil.test')];
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve).closeAllConnections())));
});

/** An endpoint that answers what `answer` says by then. */
async function serve({ certificate, key }: Identity, answer: () => { status?: number; text?: string; location?: string }): Promise<number> {
  const server = createServer({ cert: certificate, key }, (_request, response) => {
    const { status = 200, text = '', location } = answer();
    response.writeHead(status, location === undefined ? {} : { location }).end(text);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const site = (): Promise<Identity> => web.issue(['localhost']);
const overWeb = (port: number): BundleEndpoint => ({
  url: `https://localhost:${port}/bundle`,
  profile: 'https_web',
  caBundle: web.certificate,
});
const overSpiffe = (port: number): BundleEndpoint => {
  return { url: `https://127.0.0.1:${port}/bundle`, profile: 'https_spiffe', endpointSpiffeId: 'spiffe://out.test/bundles' };
};
const ask = (endpoint: BundleEndpoint, options: { serverBundle?: readonly string[]; allowPrivate?: boolean } = {}) =>
  fetchBundle(endpoint, { serverBundle: [], allowPrivate: true, signal: never, ...options });
function bundleText(pems: readonly string[], sequence: number): string {
  const keys = pems.map((pem) => {
    const jwk = createPublicKey(pem).export({ format: 'jwk' });
    return { ...jwk, use: 'x509-svid', x5c: [new X509Certificate(pem).raw.toString('base64')] };
  });
  return JSON.stringify({ spiffe_sequence: sequence, spiffe_refresh_hint: 0, keys });
}

describe('an endpoint of https_web', () => {
  it('answers by a certificate for its name, of the CA that is given', async () => {
    const port = await serve(await site(), () => ({ text: 'bundle' }));
    expect(await ask(overWeb(port))).toBe('bundle');
    await expect(ask({ ...overWeb(port), url: `https://127.0.0.1:${port}/` })).rejects.toThrow(/does not match|not in the cert/);
    const { caBundle: _caBundle, ...system } = overWeb(port);
    await expect(ask(system)).rejects.toThrow(/unable to (get|verify)/);
  });

  it('is not believed for a redirect, an error, or more than a bundle can be', async () => {
    let answer: { status?: number; text?: string; location?: string } = { status: 302, location: 'https://localhost/' };
    const port = await serve(await site(), () => answer);
    await expect(ask(overWeb(port))).rejects.toThrow(/answered 302: redirects are not followed/);
    answer = { status: 503 };
    await expect(ask(overWeb(port))).rejects.toThrow(/answered 503/);
    answer = { text: 'x'.repeat(1024 * 1024 + 1) };
    await expect(ask(overWeb(port))).rejects.toThrow(/larger than/);
    await expect(ask({ ...overWeb(port), url: 'https://localhost:1/' })).rejects.toThrow(/ECONNREFUSED/);
  });

  it('is not asked at private addresses, by number or by name', async () => {
    let asked = 0;
    const port = await serve(await site(), () => {
      asked += 1;
      return {};
    });
    for (const host of ['localhost', '127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '169.254.169.254', '0x7f.1']) {
      const endpoint = { ...overWeb(port), url: `https://${host}:${port}/` };
      await expect(ask(endpoint, { allowPrivate: false }), host).rejects.toThrow(/not of the public Internet/);
    }
    expect(asked).toBe(0);
  });
});

describe('an endpoint of https_spiffe', () => {
  it('answers by the SVID that it must have, whatever its address', async () => {
    const port = await serve(await out.issue('spiffe://out.test/bundles'), () => ({ text: 'bundle' }));
    expect(await ask(overSpiffe(port), { serverBundle: [out.bundle] })).toBe('bundle');
  });

  it('is refused for another SVID, a forged one, a plain certificate, and without a bundle', async () => {
    const other = await serve(await out.issue('spiffe://out.test/else'), () => ({}));
    await expect(ask(overSpiffe(other), { serverBundle: [out.bundle] })).rejects.toThrow(/its server is spiffe:\/\/out\.test\/else/);
    const forged = await serve(await evil.issue('spiffe://out.test/bundles'), () => ({}));
    await expect(ask(overSpiffe(forged), { serverBundle: [out.bundle] })).rejects.toThrow(/unable to (get|verify)|self-signed/);
    const plain = await serve(await site(), () => ({}));
    await expect(ask(overSpiffe(plain), { serverBundle: [web.certificate] })).rejects.toThrow(/nobody with one SPIFFE ID/);
    await expect(ask(overSpiffe(other))).rejects.toThrow(/unable to (get|verify)|self-signed/);
  });
});

describe('the hub', () => {
  let hub: TestHubOnPostgres;
  const taken = new Map<string, string>();

  beforeAll(async () => {
    hub = await startTestHubOnPostgres();
  });

  afterAll(() => hub.stop());

  async function look(): Promise<void> {
    const desired = await hub.core.readModel.snapshot();
    const poller = new BundlePoller({
      ...{
        database: hub.core.database,
        desired: () => desired,
        term: () => 0,
        signal: never,
        allowPrivate: true,
        log: silent,
      },
      keyOwner: (keyId) => taken.get(keyId),
      memberBundle: () => [],
      bounds: { least: 0, most: 0 },
    });
    await poller.look();
  }

  const trusted = async () => (await hub.core.readModel.snapshot()).external?.map(({ trustBundle }) => trustBundle.length);
  const fetched = async () => {
    const { body } = await hub.call('GET', `${TRUST_DOMAINS}/out.test`);
    return body.status?.conditions?.find(({ type }) => type === 'BundleFetched');
  };

  it('takes what is newer, keeps the last good one else, and tells', async () => {
    let answer: { status?: number; text?: string } = { text: bundleText([out.bundle], 7) };
    const port = await serve(await site(), () => answer);
    const spec = { source: { type: 'external', endpoint: overWeb(port) } };
    const made = await hub.call('POST', TRUST_DOMAINS, {
      apiVersion: 'hawser.dev/v1alpha1',
      kind: 'TrustDomain',
      metadata: { name: 'out.test' },
      spec,
    });
    expect(made.code).toBe(201);
    expect(await fetched()).toMatchObject({ status: 'Unknown' });
    const { revision } = await hub.core.readModel.snapshot();
    await look();
    expect(await fetched()).toMatchObject({ status: 'True', message: 'sequence 7' });
    const changes = await hub.core.readModel.changesAfter(revision);
    expect(changes?.roster?.external).toEqual([{ name: 'out.test', trustBundle: [expect.stringContaining('BEGIN CERTIFICATE')] }]);
    await look();
    expect((await hub.core.readModel.snapshot()).revision).toBe(revision + 1);

    const second = (await createTrustDomain('out.test')).bundle;
    answer = { text: bundleText([out.bundle, second], 6) };
    await look();
    expect(await fetched()).toMatchObject({ status: 'False', message: expect.stringContaining('went back from 7 to 6') });
    expect(await trusted()).toEqual([1]);
    answer = { status: 500 };
    await look();
    expect(await fetched()).toMatchObject({ status: 'False', message: expect.stringContaining('answered 500') });
    answer = { text: bundleText([out.bundle, second], 8) };
    await look();
    expect(await fetched()).toMatchObject({ status: 'True', message: 'sequence 8' });
    expect(await trusted()).toEqual([2]);
  });

  it('obeys the end of all trust when it is said twice, and forgets a trust domain that is deleted', async () => {
    const port = await serve(await site(), () => ({ text: JSON.stringify({ spiffe_sequence: 9, keys: [] }) }));
    const spec = { source: { type: 'external', endpoint: overWeb(port) } };
    await hub.call('PUT', `${TRUST_DOMAINS}/out.test`, {
      apiVersion: 'hawser.dev/v1alpha1',
      kind: 'TrustDomain',
      metadata: { name: 'out.test' },
      spec,
    });
    await look();
    expect(await fetched()).toMatchObject({ status: 'False', message: expect.stringContaining('when it says so once more') });
    expect(await trusted()).toEqual([2]);
    await look();
    expect(await trusted()).toEqual([0]);
    await hub.call('DELETE', `${TRUST_DOMAINS}/out.test`);
    expect(await trusted()).toEqual([]);
  });
});
