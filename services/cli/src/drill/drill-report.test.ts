/** Reports from a real hub to a file, and what is found out about that file without a hub. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reportSaver } from '@hawser/hub/drill-report/report-store.ts';
import { regionLossEvidence } from '@hawser/model/drill-evidence-fixture.ts';
import { signedReport } from '@hawser/model/drill-report.ts';
import { generateSigner } from '@hawser/wire/signing.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestHub } from '../../../../test/kit/hub-core.ts';
import { startWholeHub } from '../../../../test/kit/hub-routes.ts';
import { startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { environmentOf, type Outcome, runHere } from '../command-fixture.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hawser-report-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function drill(args: readonly string[], env: NodeJS.ProcessEnv = environmentOf(folder)): Promise<Outcome> {
  return runHere(['drill', ...args], { env });
}

async function written(name: string, content: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, content);
  return file;
}

describe('drill report, trend and keys', () => {
  let postgres: TestPostgres;
  let hub: TestHub;
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    postgres = await startTestPostgres();
    hub = await startWholeHub(await postgres.database());
    const url = await hub.core.listen();
    env = { ...environmentOf(folder), HAWSER_SERVER: url, HAWSER_TOKEN: hub.adminToken };
    const save = reportSaver(generateSigner());
    for (const [run, month] of [
      ['loss-1', 1],
      ['loss-2', 2],
    ] as const)
      await hub.core.database.transaction((tx) =>
        save(tx, regionLossEvidence({ run, drill: 'loss', createdAt: `2026-0${month}-01T09:00:00.000Z` })),
      );
  });
  afterAll(async () => {
    await hub.stop();
    await postgres.stop();
  });

  it('write a report that is verified with the hub’s keys, without the hub', async () => {
    const [report, keys] = [join(folder, 'report.json'), join(folder, 'keys.json')];
    expect(await drill(['report', 'loss-1', '-o', report], env)).toMatchObject({ status: 0, stdout: '' });
    expect(await drill(['keys', '-o', keys], env)).toMatchObject({ status: 0 });
    const verified = await drill(['verify', report, '--key', keys]);
    expect(verified).toMatchObject({ status: 0, stderr: '' });
    expect(verified.stdout).toContain('loss-1 of loss (live) Passed');
  });

  it('write what the file is named for, and show Markdown', async () => {
    const page = join(folder, 'report.html');
    expect(await drill(['report', 'loss-1', '-o', page], env)).toMatchObject({ status: 0 });
    expect(await readFile(page, 'utf8')).toMatch(/^<!doctype html>/);
    expect((await drill(['report', 'loss-1'], env)).stdout).toMatch(/^# Passed: loss\n/);
    expect(await drill(['report', 'loss-1', '-o', join(folder, 'report.pdf')], env)).toMatchObject({ status: 2 });
    expect((await drill(['report', 'loss', '-o', page], env)).stderr).toContain('the report of loss-2');
    const none = await drill(['report', 'loss-9'], env);
    expect(none).toMatchObject({ status: 1, stderr: expect.stringContaining('has no report') });
  });

  it('show runs beside each other', async () => {
    const { stdout } = await drill(['trend', 'loss'], env);
    const [head, newest, oldest] = stdout.trim().split('\n');
    expect(head).toMatch(/^RUN +ENDED +MODE +OUTCOME +RTO +OBJECTIVE +FAILED +LONGEST GAP$/);
    expect(newest).toMatch(/^loss-2 .* Passed +412ms +1000ms +1 of \d+ +388ms$/);
    expect(oldest).toMatch(/^loss-1 /);
    expect(JSON.parse((await drill(['trend', 'loss', '-o', 'json', '--limit', '1'], env)).stdout)).toMatchObject({
      runs: [{ run: 'loss-2' }],
    });
  });
});

describe('drill verify', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const report = signedReport(regionLossEvidence(), privateKey);
  const text = JSON.stringify(report);
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();

  it('takes a key as PEM, as JWK, or by its thumbprint', async () => {
    const file = await written('good.json', text);
    const jwk = JSON.stringify(createPublicKey(pem).export({ format: 'jwk' }));
    for (const key of [await written('key.pem', pem), await written('key.jwk', jwk)])
      expect(await drill(['verify', file, '--key', key])).toMatchObject({ status: 0 });
    expect(await drill(['verify', file, '--key-id', report.signature.keyId])).toMatchObject({ status: 0 });
    expect(await drill(['verify', file, '--key-id', 'another'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('unknown-key'),
    });
  });

  it('believes no key that is nobody’s', async () => {
    const alone = await drill(['verify', await written('alone.json', text)]);
    expect(alone).toMatchObject({ status: 1, stdout: '' });
    expect(alone.stderr).toContain(`unknown-key: signature.keyId is ${report.signature.keyId}`);
    const other = await written('key.json', JSON.stringify({ kty: 'EC' }));
    expect(await drill(['verify', await written('alone.json', text), '--key', other])).toMatchObject({
      ...{ status: 1, stderr: expect.stringContaining('key.json: it is no public key of Ed25519') },
    });
  });

  it('names what was edited, and every other reason', async () => {
    const key = await written('key.pem', pem);
    const cases: readonly (readonly [string, string])[] = [
      [text.replace('"outcome":"Passed"', '"outcome":"Failed"'), 'edited: evidence.outcome was changed after it was signed'],
      [text.replace('"failed":1', '"failed":0'), 'edited: evidence.services was changed'],
      [text.slice(0, 5_000), 'truncated: it ends after 5000 characters'],
      [text.replace('"version":1', '"version":7'), 'wrong-version: evidence.version is 7'],
      [JSON.stringify(signedReport(regionLossEvidence(), generateKeyPairSync('ed25519').privateKey)), 'unknown-key: signature.keyId'],
      [
        text.replace(report.signature.value, `${report.signature.value.startsWith('A') ? 'B' : 'A'}${report.signature.value.slice(1)}`),
        'bad-signature: statement is not what the key signed',
      ],
      ['kind: DrillReport', 'unreadable: it is not JSON'],
    ];
    for (const [edited, reason] of cases) {
      expect(edited).not.toBe(text);
      const refused = await drill(['verify', await written('edited.json', edited), '--key', key]);
      expect(refused).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining(reason) });
    }
    const shown = await drill(['verify', await written('edited.json', cases[0]?.[0] ?? ''), '--key', key, '-o', 'json']);
    expect(JSON.parse(shown.stdout)).toMatchObject({ verified: false, problems: [{ rule: 'edited', part: 'evidence.outcome' }] });
  });
});
