/** Whatever happens to an authority: no key is in its logs, errors, metrics or accounts, nor in a file that others may read. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRegistry } from '@hawser/runtime/metrics.ts';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { registerTrustMetrics } from '../report/trust-metrics.ts';
import { makeRoot } from './ca-certificates.ts';
import { testCa } from './ca-fixture.ts';
import { followAuthority } from './follow-authority.ts';
import { fingerprint } from './generation.ts';
import { importAuthority, openAuthority } from './open-authority.ts';
import { WorkloadCertificates } from './workload-certificates.ts';

const DOMAIN = 'us-east.hawser';
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hawser-secrets-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Middle lines of a PEM: what would be seen of it anywhere. */
const bodyOf = (pem: string): string => pem.trim().split('\n').slice(1, -1).join('').slice(0, 60);

/** Every file of the folder. */
function files(): { path: string; text: string; open: boolean }[] {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return found.map((file) => {
    const path = join(file.parentPath, file.name);
    return { path, text: readFileSync(path, 'utf8'), open: (statSync(path).mode & 0o077) !== 0 };
  });
}

test('through a migration, rotations, an import, an emergency, and refusals', async () => {
  const shown: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void shown.push(line) });
  const [plain, brought] = [await makeRoot(DOMAIN), await testCa()];
  writeFileSync(join(folder, 'ca.key'), plain.key);
  writeFileSync(join(folder, 'ca.pem'), plain.certificate);
  const authority = await openAuthority(folder, DOMAIN, { log });
  const certificates = new WorkloadCertificates({ authority, ledger: authority.ledger, log });
  const registry = createRegistry();
  registerTrustMetrics(registry, { authority, identities: certificates });
  const onBundle = (): void => void shown.push(JSON.stringify(authority.account()), authority.trustBundle.join());
  const stop = followAuthority({ authority, identities: certificates, onBundle, onChange: onBundle });
  const keys = [bodyOf(plain.key), bodyOf(brought.key), readFileSync(join(folder, 'ca-encryption.key'), 'utf8').trim()];
  try {
    const held = await certificates.hold({ name: 'reviews-1', namespace: 'bookinfo', serviceAccount: 'reviews' }, () => undefined);
    const given = Buffer.from(held.current.bytes).toString('latin1');
    keys.push(bodyOf(given.slice(given.indexOf('-----BEGIN PRIVATE KEY'))));
    held.release();
    await importAuthority(
      { identityDir: folder, trustDomain: DOMAIN },
      {
        generation: {
          ...{ id: fingerprint(brought.certificate), kind: 'root', chain: [] },
          ...{ certificate: brought.certificate, root: brought.certificate },
        },
        key: brought.key,
      },
      { log },
    );
    for (const phase of ['prepare', 'activate', 'retire', 'taint'] as const)
      await authority
        .apply({ rotation: 'one', kind: 'root', phase })
        .catch((error: Error) => shown.push(String(error.stack), JSON.stringify(error)));
    await authority.apply({ rotation: 'two', kind: 'root', phase: 'retire', emergency: true });
    const wrong = { value: Buffer.alloc(32, 1).toString('base64') };
    await openAuthority(folder, DOMAIN, { caKey: wrong }).catch((error: Error) => shown.push(String(error.stack), JSON.stringify(error)));
    shown.push(await registry.metrics());
  } finally {
    await stop();
  }
  expect(shown.length).toBeGreaterThan(5);
  expect(keys.every((key) => key.length >= 40)).toBe(true);
  for (const text of shown) expect(['PRIVATE KEY', ...keys].filter((secret) => text.includes(secret))).toEqual([]);
  const encryption = join(folder, 'ca-encryption.key');
  for (const { path, text } of files())
    expect(['PRIVATE KEY', ...keys].filter((secret) => path !== encryption && text.includes(secret))).toEqual([]);
  expect(files().flatMap(({ path, open }) => (open ? [path] : []))).toEqual([join(folder, 'ca.pem')]);
});
