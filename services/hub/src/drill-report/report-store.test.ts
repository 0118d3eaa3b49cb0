/** Reports in a real database: saved once, served in three forms, verified with the published key, forgotten in time. */
import { regionLossEvidence } from '@hawser/model/drill-evidence-fixture.ts';
import { type DrillReport, digestOf, verifyReport } from '@hawser/model/drill-report.ts';
import type { DrillTrend, ReportKeySet } from '@hawser/wire/drill-report.ts';
import { generateSigner } from '@hawser/wire/signing.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TestHub } from '../../../../test/kit/hub-core.ts';
import { startWholeHub } from '../../../../test/kit/hub-routes.ts';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { lastPassed, reportSaver, trimReports } from './report-store.ts';

const GROUP = '/apis/hawser.dev/v1alpha1';
const hubKey = generateSigner();
const save = reportSaver(hubKey);

let postgres: TestPostgres;
let dsn: string;
let hub: TestHub;
beforeAll(async () => {
  postgres = await startTestPostgres();
  dsn = await postgres.database();
  hub = await startWholeHub(dsn);
});
afterAll(async () => {
  await hub.stop();
  await postgres.stop();
});

async function saved(changed: Parameters<typeof regionLossEvidence>[0] = {}): Promise<string> {
  return hub.core.database.transaction((tx) => save(tx, regionLossEvidence(changed)));
}

async function keys(): Promise<ReportKeySet['keys']> {
  // Without a token: whoever was given a report can verify it.
  return (await hub.core.app.inject('/hawser/v1/drill-report-keys')).json<ReportKeySet>().keys;
}

async function served(run: string, format?: string) {
  const url = `${GROUP}/drillruns/${run}/report${format === undefined ? '' : `?format=${format}`}`;
  return hub.core.app.inject({ url, headers: { authorization: `Bearer ${hub.adminToken}` } });
}

it('a saved report is served as it was signed, and verified with the published key', async () => {
  const digest = await saved({ run: 'first' });
  const answer = await served('first');
  expect(answer.statusCode).toBe(200);
  const verified = verifyReport(answer.body, await keys());
  expect(verified).toMatchObject({ digest, report: { evidence: regionLossEvidence({ run: 'first' }) } });
  const html = await served('first', 'html');
  expect(html.headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8' });
  expect(html.headers['content-security-policy']).toContain("default-src 'none'");
  expect(html.body).toContain(digest);
  expect((await served('first', 'md')).body).toContain('# Passed: us-east-loss');
  expect((await served('first', 'pdf')).statusCode).toBe(400);
  expect((await served('none')).json()).toMatchObject({ code: 404, message: expect.stringContaining('has no report') });
});

it('a report that is not as its schema says is stored all the same, and told', async () => {
  const told: (readonly [string, readonly string[]])[] = [];
  const saver = reportSaver(hubKey, (run, problems) => void told.push([run, problems]));
  const sound = regionLossEvidence({ run: 'unfit' });
  const wrong = { ...sound, timings: { ...sound.timings, rtoMs: -1 } };
  await hub.core.database.transaction((tx) => saver(tx, wrong));
  await hub.core.database.transaction((tx) => saver(tx, regionLossEvidence({ run: 'fit' })));
  expect(told).toEqual([['unfit', expect.arrayContaining(['/timings/rtoMs must be >= 0'])]]);
  expect(JSON.parse((await served('unfit')).body)).toMatchObject({ evidence: { timings: { rtoMs: -1 } } });
});

it('saving twice changes nothing, whatever the second says', async () => {
  const digest = await saved({ run: 'twice' });
  expect(await saved({ run: 'twice', outcome: 'Failed' })).toBe(digest);
  expect((await served('twice')).json<DrillReport>().evidence.outcome).toBe('Passed');
  const [one, other] = await Promise.all([saved({ run: 'at-once', why: 'one' }), saved({ run: 'at-once', why: 'other' })]);
  expect(one).toBe(other);
});

it('what is rolled back was not saved', async () => {
  const failing = hub.core.database.transaction(async (tx) => {
    await save(tx, regionLossEvidence({ run: 'undone' }));
    throw new Error('the run did not end');
  });
  await expect(failing).rejects.toThrow('the run did not end');
  expect((await served('undone')).statusCode).toBe(404);
});

it('evidence with what JSON has not got is saved all the same', async () => {
  const nonsense = { at: '2026-03-10T09:00:00.000Z', event: '\ud800\u0000', detail: 'x'.repeat(10_000) };
  const timings = { ...regionLossEvidence().timings, rtoMs: Number.NaN };
  await saved({ run: 'nonsense', timeline: [nonsense], timings });
  const verified = verifyReport((await served('nonsense')).body, await keys());
  if ('problems' in verified) throw new Error(JSON.stringify(verified.problems));
  expect(verified.report.evidence.timings.rtoMs).toBeNull();
  expect(verified.report.evidence.timeline[0]?.detail).toHaveLength(4096);
});

it('replicas with the same hub key share one key; the database alone does not have it', async () => {
  const before = await keys();
  await hub.core.database.transaction((tx) => reportSaver(hubKey)(tx, regionLossEvidence({ run: 'replica' })));
  expect(await keys()).toEqual(before);
  const rows = (await querySql(dsn, `SELECT encode(sealed, 'escape') AS sealed FROM drill_report_keys`)) as unknown as { sealed: string }[];
  expect(JSON.stringify(rows)).not.toContain('PRIVATE KEY');
});

it('a hub whose keys were lost signs with another one; what the first signed is verified all the same', async () => {
  await saved({ run: 'before-loss' });
  await hub.core.database.transaction((tx) => reportSaver(generateSigner())(tx, regionLossEvidence({ run: 'after-loss' })));
  const known = await keys();
  expect(known.length).toBeGreaterThanOrEqual(2);
  for (const run of ['before-loss', 'after-loss']) expect(verifyReport((await served(run)).body, known)).toHaveProperty('report');
  const [older] = known;
  expect(verifyReport((await served('after-loss')).body, older === undefined ? [] : [older])).toMatchObject({
    problems: [{ rule: 'unknown-key' }],
  });
});

it('a trend has the runs of a drill, the newest first', async () => {
  const drill = 'trend';
  await saved({ drill, run: 'trend-1', createdAt: '2026-01-01T09:00:00.000Z' });
  await saved({ drill, run: 'trend-2', createdAt: '2026-02-01T09:00:00.000Z', outcome: 'Aborted', services: [] });
  const { body, code } = await hub.call('GET', `${GROUP}/drills/${drill}/trend`);
  expect(code).toBe(200);
  const { runs } = body as unknown as DrillTrend;
  expect(runs.map(({ run }) => run)).toEqual(['trend-2', 'trend-1']);
  expect(runs[0]).toMatchObject({ outcome: 'Aborted', requests: 0, failed: 0, longestGapMs: null });
  expect(runs[1]).toMatchObject({ outcome: 'Passed', rtoMs: 412, rtoTargetMs: 1000, failed: 1, longestGapMs: 388, mode: 'live' });
  expect(runs[1]?.digest).toBe(digestOf((await served('trend-1')).json<DrillReport>().statement));
  expect((await hub.call('GET', `${GROUP}/drills/${drill}/trend?limit=1`)).body).toMatchObject({ runs: [{ run: 'trend-2' }] });
  expect((await hub.call('GET', `${GROUP}/drills/unknown/trend`)).body).toEqual({ drill: 'unknown', runs: [] });
});

it('reports are forgotten when their time is over, but for the last one of a drill that passed', async () => {
  const drill = 'old';
  const year = (year: number) => ({ createdAt: `${year}-01-01T09:00:00.000Z`, endedAt: `${year}-01-01T09:10:00.000Z` });
  await saved({ drill, run: 'old-failed', outcome: 'Failed', ...year(2020) });
  await saved({ drill, run: 'old-passed', ...year(2021) });
  await saved({ drill, run: 'newer-passed', ...year(2022) });
  await saved({ drill, run: 'rehearsed', mode: 'dryRun', ...year(2023) });
  await hub.core.database.transaction((tx) => trimReports(tx, 500));
  const { body } = await hub.call('GET', `${GROUP}/drills/${drill}/trend`);
  expect((body as unknown as DrillTrend).runs.map(({ run }) => run)).toEqual(['newer-passed']);
  const passed = await hub.core.database.transaction(lastPassed);
  expect(passed.get(drill)).toEqual(new Date('2022-01-01T09:10:00.000Z'));
});
