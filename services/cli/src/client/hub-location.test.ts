import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { locateHub } from './hub-location.ts';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'hawser-cli-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

it('takes flag over environment over what ran here over the default', () => {
  writeFileSync(join(stateDir, 'admin.token'), 'secret\n');
  expect(locateHub({ stateDir }, {})).toEqual({ url: 'http://127.0.0.1:8080', token: 'secret' });
  writeFileSync(join(stateDir, 'demo.json'), JSON.stringify({ hub: { address: '127.0.0.1:9999' } }));
  expect(locateHub({ stateDir }, {}).url).toBe('http://127.0.0.1:9999');
  writeFileSync(join(stateDir, 'demo.json'), JSON.stringify({ hub: { address: '127.0.0.1', adminPort: 9998 } }));
  expect(locateHub({ stateDir }, {}).url).toBe('http://127.0.0.1:9998');
  mkdirSync(join(stateDir, 'hub'));
  writeFileSync(join(stateDir, 'hub/processes.json'), JSON.stringify({ hub: { address: '127.0.0.1:9997' } }));
  expect(locateHub({ stateDir }, {}).url).toBe('http://127.0.0.1:9997');
  expect(locateHub({ stateDir }, { HAWSER_SERVER: '127.0.0.1:7', HAWSER_TOKEN: 'mine' })).toEqual({
    url: 'http://127.0.0.1:7',
    token: 'mine',
  });
  expect(locateHub({ stateDir, server: 'http://127.0.0.1:8' }, { HAWSER_SERVER: 'http://127.0.0.1:7' }).url).toBe('http://127.0.0.1:8');
});

it('says where it looked and how to start a hub', () => {
  expect(() => locateHub({ stateDir }, {})).toThrow(
    /HAWSER_TOKEN is not set and .*admin\.token is not there; start one with "npx hawser hub run"/,
  );
});

it('keeps tokens off plain HTTP beyond this machine, and the state folder’s token on it', () => {
  writeFileSync(join(stateDir, 'admin.token'), 'secret');
  expect(() => locateHub({ stateDir, server: 'http://hub.example:8080' }, {})).toThrow(/plain HTTP is for loopback addresses only/);
  expect(() => locateHub({ stateDir, server: 'https://hub.example' }, {})).toThrow(/HAWSER_TOKEN is not set/);
  expect(locateHub({ stateDir, server: 'http://hub:8080' }, { HAWSER_TOKEN: 't', HAWSER_ALLOW_PLAINTEXT: '1' }).url).toBe(
    'http://hub:8080',
  );
  expect(() => locateHub({ stateDir, server: 'ftp://x' }, {})).toThrow(/is not a URL/);
});

it('knows an https hub by the CA that is named, else by the one of the state folder', () => {
  const pem = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----';
  const ca = (hints = {}, env = {}): string | undefined =>
    locateHub({ stateDir, server: 'https://127.0.0.1:1', ...hints }, { HAWSER_TOKEN: 't', ...env }).ca;
  expect(ca()).toBeUndefined();
  writeFileSync(join(stateDir, 'ca.pem'), `${pem}\n`);
  expect(ca()).toBe(pem);
  expect(ca({ server: 'http://127.0.0.1:1' })).toBeUndefined();
  writeFileSync(join(stateDir, 'other.pem'), `${pem.replace('x', 'y')}\n`);
  expect(ca({}, { HAWSER_CA_FILE: join(stateDir, 'other.pem') })).toContain('y');
  expect(() => ca({ caFile: join(stateDir, 'nowhere') })).toThrow(/nowhere holds no certificate/);
});
