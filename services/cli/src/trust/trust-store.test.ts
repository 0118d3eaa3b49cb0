import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { authorityCertificate } from '../../../../test/kit/authority-certificates.ts';
import { trustStore } from './trust-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'hawser-p12-'));
afterAll(() => rmSync(folder, { recursive: true }));

function read(file: string, password: string): string {
  return execFileSync('openssl', ['pkcs12', '-in', file, '-nokeys', '-passin', `pass:${password}`], { encoding: 'utf8', stdio: 'pipe' });
}

test('OpenSSL reads what was stored, under its names, and refuses another password', async () => {
  const pems = [await authorityCertificate('one'), await authorityCertificate('two', { rsaBits: 4096 })];
  const file = join(folder, 'store.p12');
  writeFileSync(
    file,
    trustStore(
      pems.map((pem, index) => ({ pem, name: `root ${index}` })),
      'geheim',
    ),
  );
  const text = read(file, 'geheim');
  for (const pem of pems) expect(text.replaceAll(/\s/g, '')).toContain(pem.replaceAll(/\s/g, ''));
  expect(text).toContain('friendlyName: root 0');
  expect(text).toContain('2.16.840.1.113894.746875.1.1');
  expect(() => read(file, 'wrong')).toThrow(/Mac verify error/);
});
