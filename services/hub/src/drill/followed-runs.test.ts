/** Runs that begin a shift, or a rotation, on a real PostgreSQL: followed through every change of leader, and left as they are to be. */
import { unchecked } from '@hawser/model/check-verdict.ts';
import { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import type { DrillReport } from '@hawser/model/drill-report.ts';
import { NO_TRAFFIC, type TrafficQuery, type TrafficSums } from '@hawser/model/measured-traffic.ts';
import { generateSigner } from '@hawser/wire/signing.ts';
import type { TrustPhase } from '@hawser/wire/trust.ts';
import pino from 'pino';
import { Compile } from 'typebox/compile';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { reportSaver } from '../drill-report/report-store.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { memberOf, proxyOf, shardOf, statusOf } from '../fleet/fleet-fixture.ts';
import { type LedHub, startLedHub } from '../operations/led-hub-fixture.ts';
import type { OperationKind } from '../operations/operation-kind.ts';
import { shiftKind } from '../shift/shift-kind.ts';
import { type TracedTraffic, TrafficTrace } from '../traffic/traffic-trace.ts';
import { trustOf } from '../trust/rotation-fixture.ts';
import { RotationLoop } from '../trust/rotation-loop.ts';
import { drillRunKind } from './drill-run-kind.ts';

const log = pino({ level: 'silent' });
const saveReport = reportSaver(generateSigner());
const RUNS = '/apis/hawser.dev/v1alpha1/drillruns';
const SHIFTS = '/apis/hawser.dev/v1alpha1/namespaces/bookinfo/trafficshifts';
const MEMBERS = [memberOf('east'), memberOf('west', { federatesWith: [] })];
const RULE = {
  ...{ apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: { namespace: 'bookinfo', name: 'reviews' } },
  spec: { host: 'reviews', subsets: ['v1', 'v2'].map((name) => ({ name, labels: { version: name } })) },
};
const DESTINATIONS = ['v1', 'v2'].map((name) => ({ name, subset: name }));
const SHIFT = {
  type: 'trafficShift',
  shift: {
    destinations: DESTINATIONS,
    steps: [{ setWeights: { v1: 50, v2: 50 } }, { pause: { duration: '1h' } }],
    advance: { observed: { minRequests: 0 } },
  },
};
const AT_ONCE = { ...SHIFT, shift: { ...SHIFT.shift, steps: [{ setWeights: { v2: 100 } }] } };
const ROTATION = { type: 'trustRotation', cluster: 'east' };
const STEPS: Readonly<Record<string, TrustPhase>> = {
  ...{ Preparing: 'prepare', Activating: 'activate', Tainting: 'taint', Retiring: 'retire' },
};
let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());

type Status = Record<string, unknown> & { readonly follows?: { readonly name: string; readonly part: string } };

describe('a run that follows', { timeout: 120_000 }, () => {
  let dsn: string;
  let led: LedHub;
  let verdict: 'passed' | 'failed';
  /** What the authority of east has done last, for which rotation. */
  let trust: readonly [rotation: string, done: TrustPhase | undefined];
  let rotations: AbortController;

  const kinds = (context: FleetContext): readonly OperationKind[] => {
    const states = (names: readonly string[]) =>
      names.map((name) => ({ ...unchecked({ name, action: 'abort' as const }), verdict, message: 'as the test says' }));
    const startChecks = (specs: readonly { readonly name: string }[]) => ({
      verdicts: () => states(specs.map(({ name }) => name)),
      stop: () => undefined,
    });
    const traffic = (): TracedTraffic => TRAFFIC;
    return [shiftKind({ context, traffic }), drillRunKind({ context, traffic, startChecks, saveReport }) as OperationKind];
  };

  beforeEach(async () => {
    dsn = await postgres.database();
    verdict = 'passed';
    trust = ['none', undefined];
    const shard = shardOf('east', 'reviews', ['HEALTHY', 'HEALTHY']);
    const endpoints = shard.endpoints.map((endpoint, index) => ({ ...endpoint, labels: { version: `v${index + 1}` } }));
    led = await startLedHub({ dsn, members: MEMBERS, fill: (fleet) => fleet.putShard('east', { ...shard, endpoints }), kinds });
    rotations = new AbortController();
    const { context, database } = led;
    const turning = new RotationLoop({ context, database, onHeard: () => () => undefined, log, signal: rotations.signal }).run();
    await led.hub.call('POST', '/hawser/v1/apply', { resources: [RULE], allowUnresolved: true });
    return async () => {
      rotations.abort();
      await turning;
      await led.stop();
    };
  });

  const answer = async (): Promise<void> => {
    const revision = await led.answer();
    const told = trustOf(...trust);
    const bundles = told.bundles.map((bundle) => ({ ...bundle, expected: 1, acked: 1 }));
    for (const { name } of MEMBERS) {
      led.context.fleet.heard(name, Date.now());
      led.accounts.putStatus(
        name,
        { ...statusOf(revision, [proxyOf(`${name}-proxy`, revision)]), trust: { ...told, bundles } },
        Date.now(),
      );
    }
  };
  const begin = async (scenario: object, plan: object = { hold: '1ms' }): Promise<string> => {
    const spec = {
      ...{ scenario, mode: 'live', objectives: { rto: '30s' }, approvals: { required: 0 }, plan },
      guardrails: [{ name: 'errors', source: { hub: { metric: 'errorRatio' } }, condition: 'result < 0.5' }],
      blastRadius: { services: { names: ['bookinfo/reviews'] }, maxTrafficPercent: 100 },
    };
    const drill = { apiVersion: 'hawser.dev/v1alpha1', kind: 'Drill', metadata: { name: 'try' }, spec };
    const created = await led.hub.call('POST', '/apis/hawser.dev/v1alpha1/drills', drill);
    expect([created.code, created.body.message]).toEqual([201, undefined]);
    await answer();
    const made = await led.hub.call('POST', '/apis/hawser.dev/v1alpha1/drills/try/run', { reason: 'a test' });
    expect([made.code, made.body.message]).toEqual([201, undefined]);
    return made.body.metadata?.name ?? '';
  };
  const statusOfRun = async (name: string): Promise<Status> => {
    await answer();
    return (await led.hub.call('GET', `${RUNS}/${name}`)).body.status as unknown as Status;
  };
  const comesTo = async (name: string, wanted: Record<string, unknown>): Promise<void> => {
    await expect.poll(() => statusOfRun(name), { timeout: 60_000, interval: 100 }).toMatchObject(wanted);
  };
  const shifts = async (): Promise<readonly string[]> =>
    ((await led.hub.call('GET', SHIFTS)).body.items ?? []).map(({ metadata }) => metadata?.name ?? '');
  const reportOf = async (): Promise<DrillEvidence> => {
    const [report] = await querySql(dsn, 'SELECT document FROM drill_reports');
    const { evidence } = JSON.parse(String(report?.['document'])) as DrillReport;
    expect(Compile(DrillEvidence).Errors(evidence)).toEqual([]);
    return evidence;
  };

  it('a shift makes one, goes on with it under another leader, and takes it away', async () => {
    await led.lead();
    const name = await begin(SHIFT);
    await comesTo(name, { phase: 'Shifting', follows: { kind: 'TrafficShift', name: `bookinfo/${name}`, weights: { v1: 50, v2: 50 } } });
    expect(await shifts()).toEqual([name]);
    await led.lead();
    await comesTo(name, { phase: 'Shifting', follows: { part: 'step 2' }, proxies: { expected: 4, acked: 4 } });
    // Weights are told by the second: a whole one of this step.
    const arrived = Date.now();
    await expect.poll(() => Date.now() - arrived, { timeout: 20_000 }).toBeGreaterThan(2_000);
    expect((await led.hub.call('POST', `${SHIFTS}/${name}/promote`)).code).toBe(200);
    await comesTo(name, { phase: 'Done', outcome: 'Passed', requestsFailed: 0 });
    expect(await shifts()).toEqual([]);
    const evidence = await reportOf();
    expect(evidence).toMatchObject({
      scenario: { type: 'trafficShift', from: 'v1 to v1 50, v2 50', fault: null },
      objectives: [
        { name: 'propagation', met: true },
        { name: 'errorRate', actual: 0 },
      ],
    });
    expect(evidence.phases.map(({ phase }) => phase)).toEqual(expect.arrayContaining(['Shifting: step 1', 'Shifting: step 2', 'Holding']));
    expect(evidence.weights.some(({ cluster, desired, acked }) => cluster === 'v2' && desired === 50 && acked === 50)).toBe(true);
    expect(new Set(evidence.weights.map(({ observed }) => observed))).toEqual(new Set([100, 0]));
  });

  it('a shift gives it up by a guardrail, and when somebody else takes it away', async () => {
    await led.lead();
    const name = await begin(SHIFT);
    await comesTo(name, { phase: 'Shifting', follows: { part: 'step 2' } });
    expect((await led.hub.call('DELETE', `${SHIFTS}/${name}`)).code).toBe(200);
    await comesTo(name, { phase: 'Done', outcome: 'Interrupted', message: expect.stringContaining('was taken away') });
    const again = (await led.hub.call('POST', '/apis/hawser.dev/v1alpha1/drills/try/run', {})).body.metadata?.name ?? '';
    await comesTo(again, { phase: 'Shifting', follows: { part: 'step 2' } });
    verdict = 'failed';
    await comesTo(again, { phase: 'Done', outcome: 'Aborted', message: expect.stringContaining('rule guardrails') });
    expect(await shifts()).toEqual([]);
  });

  it('a shift does not begin beside another of its services', async () => {
    const metadata = { namespace: 'bookinfo', name: 'own' };
    const spec = { services: ['reviews'], subsets: { v1: 100 } };
    await led.hub.call('POST', '/hawser/v1/apply', {
      resources: [{ apiVersion: 'hawser.dev/v1alpha1', kind: 'TrafficShift', metadata, spec }],
      allowUnresolved: true,
    });
    await led.lead();
    await comesTo(await begin(AT_ONCE), { phase: 'Done', outcome: 'Skipped', message: expect.stringContaining('rule overlapping-shifts') });
    expect(await shifts()).toEqual(['own']);
  });

  /** Its authority does what each phase says, and another hub leads in each. */
  const turnTo = async (name: string, last: string): Promise<void> => {
    for (const [part, done] of Object.entries(STEPS)) {
      await comesTo(name, { phase: 'Rotating', follows: { kind: 'TrustRotation', part } });
      await led.lead();
      if (part === last) return;
      trust = [(await statusOfRun(name)).follows?.name ?? '', done];
    }
  };

  it('a rotation goes to its end with it, whoever leads, and leaves the new root', async () => {
    await led.lead();
    const name = await begin(ROTATION);
    await turnTo(name, 'none');
    await comesTo(name, { phase: 'Done', outcome: 'Passed' });
    const evidence = await reportOf();
    expect(evidence.scenario).toMatchObject({ type: 'trustRotation', from: 'cluster east' });
    const phases = evidence.phases.map(({ phase }) => phase);
    expect(phases).toEqual(expect.arrayContaining(Object.keys(STEPS).map((part) => `Rotating: ${part}`)));
    expect(await querySql(dsn, 'SELECT phase FROM rotations')).toEqual([{ phase: 'Done' }]);
  });

  it('a rotation rolls it back when it is aborted', async () => {
    await led.lead();
    const name = await begin(ROTATION);
    await turnTo(name, 'Activating');
    expect((await led.hub.call('POST', `${RUNS}/${name}/abort`, { reason: 'enough' })).code).toBe(200);
    trust = [trust[0], 'rollback'];
    await comesTo(name, { phase: 'Restoring', follows: { part: 'RollingBack' } });
    await expect
      .poll(() => querySql(dsn, "SELECT state ->> 'withdrawn' AS it FROM rotations"), { timeout: 30_000 })
      .toEqual([{ it: 'true' }]);
    trust = [trust[0], 'retire'];
    await comesTo(name, { phase: 'Done', outcome: 'Aborted', message: expect.stringContaining('enough') });
    expect(await querySql(dsn, 'SELECT phase FROM rotations')).toEqual([{ phase: 'RolledBack' }]);
  });

  it('a rotation does not begin beside another, whose agents do not tell of it yet', async () => {
    await led.lead();
    await querySql(
      dsn,
      "INSERT INTO rotations (id, cluster, phase, state) VALUES ('other', 'east', 'Pending', '{\"paused\": true, \"epoch\": 1}')",
    );
    await comesTo(await begin(ROTATION), {
      ...{ phase: 'Done', outcome: 'Skipped', message: expect.stringContaining('rule rotation-under-way') },
    });
  });
});

const sums = (requests: number, { from, to }: TrafficQuery): TrafficSums => ({
  ...{ ...NO_TRAFFIC, requests, attempts: requests, inFlight: 0, seconds: (to - from) / 1_000 },
  sources: MEMBERS.map(({ name }) => ({ cluster: name, seconds: (to - from) / 1_000, newestAt: Date.now(), unreadProxies: 0 })),
});
/** Callers in east, all of them answered by v1 there. */
const TRAFFIC: TracedTraffic = {
  window: (span) => sums((span.to - span.from) / 10, span),
  groups: (span) => [
    {
      ...{ source: 'east', service: 'bookinfo/reviews' },
      ...{ destination: { cluster: 'east', region: 'east', zone: '', version: 'v1' }, sums: sums((span.to - span.from) / 10, span) },
    },
  ],
  ...{ shares: () => [], load: () => [], services: () => [], newestAt: () => Date.now() },
  knownUntil: () => Math.floor(Date.now() / 1_000) * 1_000 + 3_000,
  trace: (services) => ({ trace: new TrafficTrace(services), stop: () => undefined }),
  isDealt: () => false,
};
