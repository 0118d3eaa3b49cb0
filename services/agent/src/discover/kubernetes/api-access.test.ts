/** How an API server is reached: kubeconfigs and service accounts, as files, and a TLS server that believes them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forge, forgeRoot } from '../../../../../test/kit/forge.ts';
import { inClusterAccess, kubeconfigAccess } from './api-access.ts';
import { ApiClient } from './api-client.ts';

let folder: string;
let server: Server;
let ca: string;
let port: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hawser-access-'));
  const root = await forgeRoot('kubernetes');
  ca = `${root.certificate.toString('pem')}\n`;
  const { certificate, key } = await forge(root, { names: [{ type: 'dns', value: 'kubernetes.default.svc' }], until: 24 });
  server = createServer({ cert: certificate, key }, (request, response) =>
    response
      .writeHead(request.headers.authorization === 'Bearer revoked' ? 401 : 200)
      .end(JSON.stringify({ bearer: request.headers.authorization, url: request.url })),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

/** Writes a kubeconfig with two contexts; returns its path. */
function written(cluster: object, user: object, more: object = {}): string {
  const path = join(folder, 'kubeconfig');
  const config = {
    'current-context': 'here',
    contexts: ['here', 'there'].map((name) => ({ name, context: { cluster: name, user: 'agent' } })),
    clusters: [
      { name: 'here', cluster: { server: 'https://127.0.0.1:6443', ...cluster } },
      { name: 'there', cluster: { server: 'https://10.0.0.1' } },
    ],
    users: [{ name: 'agent', user }],
    ...more,
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

describe('a kubeconfig', () => {
  it('has authority, server name and token inline or in files beside it; the API server is then believed, and believes', async () => {
    writeFileSync(join(folder, 'ca.pem'), ca);
    writeFileSync(join(folder, 'token'), 'secret\n');
    const known = { server: `https://127.0.0.1:${port}/clusters/one`, 'tls-server-name': 'kubernetes.default.svc' };
    const inline = kubeconfigAccess(
      written({ ...known, 'certificate-authority-data': Buffer.from(ca).toString('base64') }, { token: 'secret' }),
      undefined,
    );
    const files = kubeconfigAccess(written({ ...known, 'certificate-authority': 'ca.pem' }, { tokenFile: 'token' }), 'here');
    for (const access of [inline, files]) {
      const api = new ApiClient(access);
      const answer = await api.json({ path: '/api/v1/pods', query: { limit: '1' }, deadlineMs: 20_000 });
      expect(answer).toEqual({ bearer: 'Bearer secret', url: '/clusters/one/api/v1/pods?limit=1' });
      api.close();
    }
  });

  it('is not used with a server that its authority did not sign, or under another name', async () => {
    const access = (cluster: object) =>
      kubeconfigAccess(written({ server: `https://127.0.0.1:${port}`, ...cluster }, { token: 't' }), undefined);
    const data = Buffer.from(ca).toString('base64');
    for (const cluster of [{ 'tls-server-name': 'kubernetes.default.svc' }, { 'certificate-authority-data': data }]) {
      const api = new ApiClient(access(cluster));
      await expect(api.json({ path: '/', deadlineMs: 20_000 })).rejects.toMatchObject({ code: 'kubernetes-unreachable' });
      api.close();
    }
  });

  it('has its token file read anew at once after the token was refused', async () => {
    writeFileSync(join(folder, 'token'), 'revoked\n');
    const server = `https://127.0.0.1:${port}`;
    const trusted = { 'tls-server-name': 'kubernetes.default.svc', 'certificate-authority-data': Buffer.from(ca).toString('base64') };
    const api = new ApiClient(kubeconfigAccess(written({ server, ...trusted }, { tokenFile: 'token' }), undefined));
    const ask = () => api.json({ path: '/', deadlineMs: 20_000 });
    await expect(ask()).rejects.toMatchObject({ status: 401 });
    writeFileSync(join(folder, 'token'), 'new\n');
    expect(await ask()).toMatchObject({ bearer: 'Bearer new' });
    writeFileSync(join(folder, 'token'), 'newer\n');
    expect(await ask()).toMatchObject({ bearer: 'Bearer new' });
    api.close();
  });

  it('another context is another server', () => {
    expect(kubeconfigAccess(written({}, { token: 't' }), 'there').server.href).toBe('https://10.0.0.1/');
  });

  const refused: [object, object, object, string][] = [
    [{}, { exec: { command: 'aws' } }, {}, 'users[].user.exec is not supported: give the agent a token'],
    [{}, { 'auth-provider': {} }, {}, 'users[].user.auth-provider is not supported'],
    [{}, { username: 'a', password: 'b' }, {}, 'users[].user.username is not supported'],
    [{ 'proxy-url': 'http://p' }, {}, {}, 'proxy-url is not supported'],
    [{ server: 'http://10.0.0.1' }, {}, {}, 'plain HTTP is for loopback alone'],
    [{ server: 'localhost:1' }, {}, {}, 'is no URL of an API server'],
    [{}, {}, { 'current-context': 'gone' }, 'it has no context "gone"'],
    [{}, {}, { 'current-context': undefined }, 'it has no current-context: name one with --context'],
    [{}, {}, { users: [] }, 'context "here" names a cluster or user that is not there'],
    [{}, {}, { clusters: 'none' }, 'clusters: '],
    [{ 'certificate-authority': 'nowhere.pem' }, {}, {}, 'ENOENT'],
  ];
  it.each(refused)('%j %j %j is refused by name', (cluster, user, more, message) => {
    expect(() => kubeconfigAccess(written(cluster, user, more), undefined)).toThrow(message);
  });
});

describe('a service account', () => {
  it('is that of the Pod', () => {
    for (const [file, text] of [
      ['ca.crt', ca],
      ['token', 'of the pod'],
    ] as const)
      writeFileSync(join(folder, file), text);
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    const access = inClusterAccess(env, folder);
    expect([access.server.href, access.ca, access.bearer()]).toEqual(['https://[fd00::1]/', ca.trim(), 'of the pod']);
  });

  it('is only in a Pod', () => {
    expect(() => inClusterAccess({}, folder)).toThrow(
      '--kubernetes: this is no Pod (KUBERNETES_SERVICE_HOST is not set): name a file with --kubeconfig',
    );
  });
});
