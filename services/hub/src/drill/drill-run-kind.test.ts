/** Runs of drills on a real PostgreSQL, by agents that answer and callers that are measured: through every phase under another leader. */
import { type CheckState, unchecked } from '@hawser/model/check-verdict.ts';
import { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import type { DrillForm } from '@hawser/model/drill-form.ts';
import type { DrillReport } from '@hawser/model/drill-report.ts';
import { NO_TRAFFIC, type TrafficGroup, type TrafficQuery, type TrafficSums } from '@hawser/model/measured-traffic.ts';
import { generateSigner } from '@hawser/wire/signing.ts';
import pino from 'pino';
import { Compile } from 'typebox/compile';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestHub } from '../../../../test/kit/hub-core.ts';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { reportSaver } from '../drill-report/report-store.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { statusOf as agentStatus, memberOf, proxyOf, shardOf } from '../fleet/fleet-fixture.ts';
import type { FleetState } from '../fleet/fleet-state.ts';
import { type LedHub, startLedHub } from '../operations/led-hub-fixture.ts';
import type { OperationKind } from '../operations/operation-kind.ts';
import { createReadModel } from '../resource/desired-state-store.ts';
import { type TracedTraffic, TrafficTrace } from '../traffic/traffic-trace.ts';
import { drillRunKind } from './drill-run-kind.ts';
import { DrillSchedule } from './drill-schedule.ts';
import { secondsKept } from './kept-seconds.ts';

const log = pino({ level: 'silent' });
const saveReport = reportSaver(generateSigner());
const DRILLS = '/apis/hawser.dev/v1alpha1/drills';
const RUNS = '/apis/hawser.dev/v1alpha1/drillruns';
const MEMBERS = [memberOf('east'), memberOf('west')];
/** Nobody declared what clusters can bear. */
const OVERRIDES = ['headroom'];
const drillOf = (spec: object = {}, name = 'lose-west') => ({
  ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'Drill', metadata: { name } },
  spec: {
    ...{ scenario: { type: 'regionLoss', from: { region: 'west' } }, mode: 'live', objectives: { rto: '30s' } },
    guardrails: [{ name: 'errors', source: { hub: { metric: 'errorRatio' } }, condition: 'result < 0.5' }],
    blastRadius: { services: { names: ['bookinfo/reviews'] } },
    ...{ approvals: { required: 0 }, plan: { hold: '1ms' } },
    ...spec,
  },
});
let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());

describe('a run in the hub', { timeout: 120_000 }, () => {
  let dsn: string;
  let led: LedHub;
  let hub: TestHub;
  let verdict: CheckState['verdict'];
  let heard: Heard;

  const kindOf = (context: FleetContext): OperationKind => {
    const states = (names: readonly string[]): CheckState[] =>
      names.map((name) => ({ ...unchecked({ name, action: 'abort' }), verdict, message: 'as the test says' }));
    const startChecks = (specs: readonly { readonly name: string }[]) => ({
      verdicts: () => states(specs.map(({ name }) => name)),
      stop: () => undefined,
    });
    return drillRunKind({ context, traffic: () => trafficOf(heard), startChecks, saveReport }) as OperationKind;
  };

  beforeEach(async () => {
    dsn = await postgres.database();
    verdict = 'passed';
    heard = ALL_HEARD;
    const fill = (fleet: FleetState): void => {
      for (const { name } of MEMBERS) fleet.putShard(name, shardOf(name, 'reviews', ['HEALTHY', 'HEALTHY']));
    };
    led = await startLedHub({ dsn, members: MEMBERS, fill, kinds: (context) => [kindOf(context)] });
    hub = led.hub;
    return () => led.stop();
  });

  /** Agents hear what is written, and their proxies acknowledge it. */
  const answer = async (): Promise<void> => {
    const revision = await led.answer();
    for (const { name } of MEMBERS) {
      led.context.fleet.heard(name, Date.now());
      led.accounts.putStatus(name, agentStatus(revision, [proxyOf(`${name}-proxy`, revision)]), Date.now());
    }
  };
  const create = async (drill: object): Promise<void> => {
    const { code, body } = await hub.call('POST', DRILLS, drill);
    expect([code, body.message]).toEqual([201, undefined]);
  };
  const run = async (body: object = { overrides: OVERRIDES, reason: 'quarterly' }, name = 'lose-west'): Promise<string> => {
    const made = await hub.call('POST', `${DRILLS}/${name}/run`, body);
    expect([made.code, made.body.message]).toEqual([201, undefined]);
    return made.body.metadata?.name ?? '';
  };
  const statusOf = async (name: string): Promise<Record<string, unknown>> =>
    (await hub.call('GET', `${RUNS}/${name}`)).body.status as unknown as Record<string, unknown>;
  const comesTo = async (name: string, wanted: Record<string, unknown>): Promise<void> => {
    const look = async (): Promise<Record<string, unknown>> => {
      await answer();
      return await statusOf(name);
    };
    await expect.poll(look, { timeout: 60_000, interval: 100 }).toMatchObject(wanted);
  };
  const formOf = async (): Promise<DrillForm | undefined> => {
    const { resources } = await createReadModel(led.database).snapshot();
    return resources.find(({ kind }) => kind === 'DrillRun')?.inForce as DrillForm | undefined;
  };
  const tell = (name: string, command: string, reason?: string): ReturnType<TestHub['call']> =>
    hub.call('POST', `${RUNS}/${name}/${command}`, reason === undefined ? undefined : { reason });

  it('goes on where it was under another leader in every phase, and leaves nothing in force', async () => {
    await create(drillOf({ approvals: { required: 1, groups: ['sre'] }, plan: { hold: '1h' } }));
    const name = await run();
    expect(await statusOf(name)).toMatchObject({ phase: 'Pending', mode: 'live', startedBy: 'admin' });
    await led.lead();
    await comesTo(name, { phase: 'AwaitingApproval' });
    expect((await tell(name, 'approve')).body.message).toMatch(/does not consent to it/);
    const approve = async (token: object): Promise<number> => {
      const made = await hub.call('POST', '/hawser/v1/tokens', { role: 'approver', ...token });
      const headers = { authorization: `Bearer ${(made.body as { token?: string }).token}` };
      return (await hub.core.app.inject({ method: 'POST', url: `${RUNS}/${name}/approve`, headers })).statusCode;
    };
    expect(await approve({ name: 'another' })).toBe(409);
    expect(await approve({ name: 'reader', role: 'operator', groups: ['sre'] })).toBe(403);
    await led.lead();
    expect(await approve({ name: 'second', groups: ['web', 'sre'] })).toBe(200);
    await comesTo(name, { phase: 'Holding', services: ['bookinfo/reviews'], clusters: ['west'] });
    const inject = { scope: { region: 'west' }, services: ['bookinfo/reviews'], fault: { refuse: true } };
    expect(await formOf()).toEqual({ run: name, lease: '15s', inject });
    await led.lead();
    await comesTo(name, { phase: 'Holding', proxies: { expected: 4, acked: 4 } });
    expect((await hub.call('DELETE', `${RUNS}/${name}`)).body.message).toMatch(/hawser drill abort/);
    expect((await hub.call('POST', `${DRILLS}/lose-west/run`, {})).body.message).toMatch(/rule one-run/);
    expect((await tell(name, 'note', 'all calm')).body.status).toMatchObject({ notes: [{ text: 'all calm' }] });
    verdict = 'failed';
    await comesTo(name, { phase: 'Done', outcome: 'Aborted', message: expect.stringContaining('guardrail errors is failed') });
    expect(await formOf()).toBeUndefined();
    expect((await hub.call('DELETE', `${RUNS}/${name}`)).code).toBe(200);
  });

  it('passes when callers are served within the objective, and all is well after it', async () => {
    await create(drillOf({ restore: { mode: 'manual' }, plan: {} }));
    await answer();
    const name = await run();
    await led.lead();
    await comesTo(name, { phase: 'Holding', waiting: expect.stringContaining('hawser drill restore'), rtoMs: expect.any(Number) });
    expect((await tell(name, 'restore')).code).toBe(200);
    expect((await tell(name, 'restore')).body.message).toMatch(/admin has asked for that already|is Restoring/);
    await comesTo(name, { phase: 'Done', outcome: 'Passed', requestsFailed: 0, reportDigest: expect.stringMatching(/^sha256:/) });
    expect(await formOf()).toBeUndefined();
    const [report] = await querySql(dsn, 'SELECT document FROM drill_reports');
    const { evidence } = JSON.parse(String(report?.['document'])) as DrillReport;
    expect(Compile(DrillEvidence).Errors(evidence)).toEqual([]);
    expect(evidence).toMatchObject({
      ...{ run: name, drill: 'lose-west', outcome: 'Passed', overrides: [{ rule: 'headroom', by: 'admin' }] },
      scenario: { type: 'regionLoss', from: 'region west', fault: 'refuse', services: ['bookinfo/reviews'] },
      objectives: [
        { name: 'rto', met: true },
        { name: 'propagation', met: true },
        { name: 'errorRate', actual: 0 },
      ],
      checks: expect.arrayContaining([expect.objectContaining({ name: 'errors', when: ['before'], verdict: 'passed' })]),
    });
    expect(evidence.versions).toMatchObject({
      ...{ hub: 'test', servers: [{ name: 'PostgreSQL', version: expect.stringMatching(/^\d+/) }] },
      envoys: MEMBERS.map(({ name: cluster }) => ({ cluster, version: 'not told', proxies: 1 })),
    });
    expect(evidence.traffic.series.map(({ source, destination }) => [source, destination])).toEqual([
      ['east', 'east'],
      ['west', 'east'],
    ]);
    const audited = await querySql(dsn, "SELECT name FROM audit WHERE verb = 'override'");
    expect(audited).toEqual([{ name: 'headroom' }]);
  });

  it('is judged by what the hub before it saw, when that one is killed, and names what nobody saw', async () => {
    await create(drillOf({ plan: { hold: '30m' } }));
    await led.lead();
    const name = await run();
    await comesTo(name, { phase: 'Holding' });
    const { phases } = (await statusOf(name)) as { readonly phases: readonly { readonly phase: string; readonly at: string }[] };
    const injectedAt = Date.parse(phases.find(({ phase }) => phase === 'Injecting')?.at ?? '');
    heard = { ...ALL_HEARD, movedAt: Math.ceil(injectedAt / 1_000) * 1_000, until: 'now' };
    const newestKept = async (): Promise<number> => {
      await answer();
      const [row] = await querySql(dsn, "SELECT state -> 'record' AS record FROM operations WHERE kind = 'DrillRun'");
      return row?.['record'] == null ? 0 : (secondsKept(row['record'] as never).at(-1)?.at ?? 0);
    };
    await expect.poll(newestKept, { timeout: 60_000 }).toBeGreaterThanOrEqual(Math.max(heard.movedAt + 1_000, Date.now()));
    await led.depose();
    await querySql(dsn, "UPDATE operations SET clock_ms = clock_ms + 1800000 WHERE kind = 'DrillRun'");
    // Another begins a second later, with one report about all since shortly before the run.
    const since = (await newestKept()) + 2_000;
    heard = { ...heard, since, dealtSince: heard.movedAt - 5_000 };
    await expect.poll(() => Date.now(), { timeout: 20_000 }).toBeGreaterThan(since);
    await led.lead();
    await comesTo(name, { phase: 'Done', outcome: 'Passed', message: expect.stringMatching(/rto was \d+ ms.*; unknown: 2 s of callers/) });
    const [report] = await querySql(dsn, 'SELECT document FROM drill_reports');
    const { evidence } = JSON.parse(String(report?.['document'])) as DrillReport;
    expect(evidence.services.map(({ sourceCluster, unknownSeconds }) => [sourceCluster, unknownSeconds])).toEqual([
      ['east', 1],
      ['west', 1],
    ]);
    expect(evidence.timings.rtoMs).toBeLessThanOrEqual(1_000);
    expect(evidence.checks.map(({ when }) => when[0])).toEqual(['before', 'during', 'after']);
    const [state] = await querySql(dsn, "SELECT state -> 'record' AS record FROM operations WHERE kind = 'DrillRun'");
    expect(state).toEqual({ record: null });
  });

  it('does not begin where a rule is against it, and is made by nobody else', async () => {
    await create(drillOf({}, 'short'));
    await create(drillOf({ blastRadius: { services: { names: ['bookinfo/nothing'] } } }, 'empty'));
    await led.lead();
    await comesTo(await run({}, 'short'), {
      phase: 'Done',
      outcome: 'CapacityCheckFailed',
      message: expect.stringContaining('rule headroom'),
    });
    await comesTo(await run({ overrides: OVERRIDES }, 'empty'), {
      phase: 'Done',
      message: expect.stringContaining('rule empty-selection'),
    });
    const blocked = { blockedDates: [0, 1].map((day) => new Date(Date.now() + day * 86_400_000).toISOString().slice(0, 10)) };
    await create(drillOf({ windows: blocked }, 'closed'));
    await comesTo(await run({ overrides: OVERRIDES }, 'closed'), { outcome: 'Skipped', message: expect.stringContaining('rule windows') });
    expect((await hub.call('POST', `${DRILLS}/none/run`, {})).code).toBe(404);
    const own = { apiVersion: 'hawser.dev/v1alpha1', kind: 'DrillRun', metadata: { name: 'own' } };
    const spec = { drill: 'short', trigger: 'manual', mode: 'live', plan: drillOf().spec };
    expect((await hub.call('POST', RUNS, { ...own, spec })).code).toBe(405);
    const { body } = await hub.call('POST', '/hawser/v1/apply', { resources: [{ ...own, spec }], allowUnresolved: true });
    expect(body).toMatchObject({ results: [{ action: 'refused' }] });
  });

  it('is made by a schedule once, whoever leads, and by no word that is none', async () => {
    expect((await hub.call('POST', DRILLS, drillOf({ schedule: { cron: 'every hour' } }))).body.message).toMatch(/no cron expression/);
    await create(drillOf({ schedule: { cron: '* * * * *' }, mode: 'dryRun' }));
    await answer();
    const at = Date.now() + 60_000;
    const later = { ...led.context, now: () => at };
    for (const _ of ['a leader', 'another']) {
      const schedule = new DrillSchedule(led.database, { context: later, operations: led.operations(), log });
      await schedule.look();
      await schedule.look();
    }
    const { items = [] } = (await hub.call('GET', RUNS)).body;
    expect(items.map(({ spec }) => spec)).toEqual([expect.objectContaining({ trigger: 'schedule', mode: 'dryRun', drill: 'lose-west' })]);
  });

  it('is not made for a time before its schedule was written as it is now', async () => {
    const [past, never] = [{ cron: '* * * * *' }, { cron: '0 0 29 2 *' }];
    await create(drillOf({ schedule: never, mode: 'dryRun' }));
    await querySql(dsn, "UPDATE resources SET created_at = created_at - interval '2 hours' WHERE kind = 'Drill'");
    await querySql(dsn, "UPDATE history SET at = at - interval '2 hours' WHERE kind = 'Drill'");
    const put = async (schedule: object, more: object = {}): Promise<void> => {
      const { body } = await hub.call('GET', `${DRILLS}/lose-west`);
      const spec = { ...drillOf({ schedule, mode: 'dryRun', ...more }).spec };
      expect((await hub.call('PUT', `${DRILLS}/lose-west`, { ...body, spec })).body.message).toBeUndefined();
      await answer();
    };
    const made = async (now: number): Promise<number> => {
      const schedule = new DrillSchedule(led.database, { context: { ...led.context, now: () => now }, operations: led.operations(), log });
      await schedule.look();
      return (await hub.call('GET', RUNS)).body.items?.length ?? 0;
    };
    const before = Date.now();
    await put(past);
    expect(await made(before)).toBe(0);
    const next = Date.now() + 60_000;
    // What else of the drill is written meanwhile does not take the time away that came.
    await put(past, { objectives: { rto: '31s' } });
    expect(await made(next)).toBe(1);
    await put(past, { suspend: true });
    const suspended = Date.now();
    await put(past);
    expect(await made(suspended)).toBe(1);
  });

  it('gives way to what people do by hand', async () => {
    await create(drillOf({ plan: { hold: '1h' } }));
    await led.lead();
    await answer();
    const name = await run();
    await comesTo(name, { phase: 'Holding' });
    const shift = { apiVersion: 'hawser.dev/v1alpha1', kind: 'TrafficShift', metadata: { namespace: 'bookinfo', name: 'reviews' } };
    await hub.call('POST', '/hawser/v1/apply', {
      resources: [{ ...shift, spec: { services: ['reviews'], regions: { east: 100 } } }],
      allowUnresolved: true,
    });
    await comesTo(name, { phase: 'Done', outcome: 'Interrupted', message: expect.stringContaining('TrafficShift reviews') });
  });
});

/** What a hub has heard of the callers. Times in Unix milliseconds. */
interface Heard {
  /** Since when by the second, and by one report about all of the time before it. */
  readonly since: number;
  readonly dealtSince: number;
  /** Until when callers in west were answered in west. */
  readonly movedAt: number;
  /** `ahead`: nobody waits for what is measured. */
  readonly until: 'now' | 'ahead';
}

const ALL_HEARD: Heard = { since: 0, dealtSince: 0, movedAt: 0, until: 'ahead' };

/** Callers in both clusters, each 100 requests a second. */
function trafficOf({ since, dealtSince, movedAt, until }: Heard): TracedTraffic {
  const known = ({ from, to }: Pick<TrafficQuery, 'from' | 'to'>): number => Math.max(0, to - Math.max(from, dealtSince)) / 1_000;
  const sums = (requests: number, span: Pick<TrafficQuery, 'from' | 'to'>): TrafficSums => ({
    ...{ ...NO_TRAFFIC, requests, attempts: requests, inFlight: 0, seconds: (span.to - span.from) / 1_000 },
    sources: MEMBERS.map(({ name }) => ({ cluster: name, seconds: known(span), newestAt: Date.now(), unreadProxies: 0 })),
  });
  const groups = (span: TrafficQuery): TrafficGroup[] =>
    MEMBERS.flatMap(({ name: source }) => {
      // In one report it is not to be told when they went where.
      const isThere = span.from < movedAt || (span.from < since && dealtSince < movedAt);
      const cluster = source === 'west' && isThere ? 'west' : 'east';
      const destination = { cluster, region: cluster, zone: '', version: '' };
      return known(span) === 0 ? [] : [{ source, service: 'bookinfo/reviews', destination, sums: sums(known(span) * 100, span) }];
    });
  return {
    window: (span) => sums(known(span) * 200, span),
    ...{ groups, shares: () => [], load: () => [], services: () => [], newestAt: () => Date.now() },
    knownUntil: () => Math.floor(Date.now() / 1_000) * 1_000 + (until === 'now' ? 0 : 3_000),
    trace: (services) => ({ trace: new TrafficTrace(services), stop: () => undefined }),
    isDealt: (_, at) => at >= dealtSince && at < since,
  };
}
