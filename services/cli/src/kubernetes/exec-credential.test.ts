import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubeconfigAccess } from '@hawser/agent/discover/kubernetes/api-access.ts';
import { afterAll, describe, expect, it } from 'vitest';
import { execCredential } from './exec-credential.ts';

const folder = mkdtempSync(join(tmpdir(), 'hawser-exec-'));
const kubeconfig = join(folder, 'config');
const apiVersion = 'client.authentication.k8s.io/v1';
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program beside the kubeconfig that prints this. */
function program(script: string): string {
  writeFileSync(join(folder, 'login'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, 'login'), 0o700);
  return './login';
}

const credential = (status: object, version = apiVersion): string =>
  `cat <<'END'\n${JSON.stringify({ apiVersion: version, kind: 'ExecCredential', status })}\nEND`;

describe('credentials that a program makes', () => {
  it('are what it prints; it has its arguments and its environment', () => {
    const script = `[ "$1 $2" = "get token" ] && [ "$WHO" = me ] || exit 3\necho "$KUBERNETES_EXEC_INFO" | grep -q '"apiVersion":"${apiVersion}"' || exit 4\n`;
    const exec = {
      apiVersion,
      command: program(script + credential({ token: 't0' })),
      args: ['get', 'token'],
      env: [{ name: 'WHO', value: 'me' }],
    };
    expect(execCredential(exec, kubeconfig)).toMatchObject({ token: 't0' });
    expect(() => execCredential({ ...exec, args: [] }, kubeconfig)).toThrow(/users\[\]\.user\.exec: \.\/login ended with 3$/);
  });

  it.each([
    [{ apiVersion, command: '' }, /it names no command/],
    [{ apiVersion: 'v1', command: 'login' }, /apiVersion "v1" is not client\.authentication\.k8s\.io/],
    [{ apiVersion, command: 'hawser-is-not-there', installHint: 'get it from there' }, /hawser-is-not-there: .*ENOENT; get it from there/],
  ])('%j is refused by name', (exec, message) => {
    expect(() => execCredential(exec, kubeconfig)).toThrow(message);
  });

  it.each([
    ['echo nonsense', /printed no ExecCredential of/],
    [
      credential({ token: 't' }, 'client.authentication.k8s.io/v1beta1'),
      /printed no ExecCredential of client\.authentication\.k8s\.io\/v1$/,
    ],
    [credential({ clientCertificateData: 'c' }), /made neither a token nor a certificate with its key/],
  ])('what is none is refused', (script, message) => {
    expect(() => execCredential({ apiVersion, command: program(script) }, kubeconfig)).toThrow(message);
  });

  it('are used where somebody sits, and refused where nobody does', () => {
    const user = {
      exec: { apiVersion, command: program(credential({ token: 't1', clientCertificateData: 'CERT', clientKeyData: 'KEY' })) },
    };
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        'current-context': 'c',
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
        clusters: [{ name: 'c', cluster: { server: 'https://10.0.0.1' } }],
        users: [{ name: 'u', user }],
      }),
    );
    const access = kubeconfigAccess(kubeconfig, undefined, execCredential);
    expect([access.bearer(), access.clientCertificate, access.clientKey]).toEqual(['t1', 'CERT', 'KEY']);
    expect(() => kubeconfigAccess(kubeconfig, undefined)).toThrow(/exec is not supported: give the agent a token/);
  });
});
