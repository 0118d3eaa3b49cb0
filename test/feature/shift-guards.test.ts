/** Shifts in steps against everything that is against them, in a real hub: refused by the rule's name, taken back, or gone on with after a kill. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { CheckSpec } from '@hawser/model/check.ts';
import type { ShiftStatus } from '@hawser/wire/shift.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type App, startApp } from '../datapath/kit/app.ts';
import { HawserProcesses, type Running } from '../kit/hawser-processes.ts';
import { eventually } from '../kit/served.ts';
import { twoVersions } from '../kit/two-versions.ts';

const [V1, V2] = ['127.88.3.21', '127.88.3.22'] as const;
const DEADLINE_MS = 120_000;
const SHIFTS = '/apis/hawser.dev/v1alpha1/namespaces/bookinfo/trafficshifts';
const RULE = {
  ...{ apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: { namespace: 'bookinfo', name: 'reviews' } },
  spec: { host: 'reviews', subsets: ['v1', 'v2', 'v3'].map((name) => ({ name, labels: { version: name } })) },
};
const HALF = { setWeights: { stable: 50, canary: 50 } };
const check = (given: Partial<CheckSpec>): object => ({
  checks: [
    { name: 'health', initialDelay: '0s', interval: '250ms', timeout: '250ms', failureLimit: 0, consecutiveErrorLimit: 1, ...given },
  ],
  startAfterStep: 0,
});

describe('a shift in a real hub', { timeout: DEADLINE_MS }, () => {
  const hawser = new HawserProcesses();
  const apps: App[] = [];
  const servers: Server[] = [];
  let health = 200;
  let healthUrl: string;

  const shiftOf = (spec: object = {}, name = 'reviews'): object => ({
    ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'TrafficShift', metadata: { namespace: 'bookinfo', name } },
    spec: {
      services: ['reviews'],
      destinations: ['v1', 'v2'].map((subset, index) => ({ name: index === 0 ? 'stable' : 'canary', subset })),
      steps: [HALF, { pause: {} }],
      advance: { observed: { minRequests: 0 } },
      ...spec,
    },
  });
  /** What it refuses a resource for; empty when it took it. */
  const refusal = async (resource: object): Promise<string> => {
    const { body } = await hawser.ask<{ results: readonly { error?: { message: string } }[] }>('POST', '/hawser/v1/apply', {
      resources: [resource],
    });
    return body.results[0]?.error?.message ?? '';
  };
  const apply = async (resource: object): Promise<void> => expect(await refusal(resource)).toBe('');
  const statusOf = async (): Promise<ShiftStatus> => (await hawser.ask<{ status: ShiftStatus }>('GET', `${SHIFTS}/reviews`)).body.status;
  const comesTo = async (wanted: Partial<ShiftStatus>): Promise<ShiftStatus> => {
    let found: ShiftStatus | undefined;
    const isThere = async (): Promise<boolean> => {
      const status: ShiftStatus = await statusOf();
      found = status;
      return Object.entries(wanted).every(([field, value]) => status[field as keyof ShiftStatus] === value);
    };
    await eventually(isThere, () => `it does not come to ${JSON.stringify(wanted)}: ${JSON.stringify(found)}`, DEADLINE_MS / 2);
    return found as ShiftStatus;
  };
  const tell = (word: string): Promise<unknown> => hawser.ask('POST', `${SHIFTS}/reviews/${word}`);
  const desired = ({ weights }: ShiftStatus): readonly number[] => weights.map((one) => one.desired);
  const serve = async (answer: RequestListener): Promise<string> => {
    const server = createServer(answer);
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  };

  beforeAll(async () => {
    apps.push(await startApp('v1', V1), await startApp('v2', V2));
    const silent = await serve(() => undefined);
    healthUrl = await serve((_request, response) => void response.writeHead(health).end());
    const integrations = join(hawser.folder, 'integrations.yaml');
    writeFileSync(integrations, `prometheus: [{name: default, url: "${silent}"}]\n`);
    await hawser.startHub(undefined, ['--integrations', integrations, '--private-check-endpoints', 'on']);
    await hawser.join('us-west', { 'reviews.yaml': twoVersions(V1, V2) });
    await eventually(async () => (await refusal(RULE)) === '', 'the DestinationRule is refused', DEADLINE_MS / 2);
    // Of v3 nobody has an endpoint, and of the others the hub knows some.
    const isKnown = async (): Promise<boolean> => {
      const nowhere = { destinations: ['v1', 'v3'].map((subset, index) => ({ name: index === 0 ? 'stable' : 'canary', subset })) };
      const toV2 = { ...shiftOf({ steps: [{ setWeights: { canary: 100 } }] }), metadata: { namespace: 'bookinfo', name: 'probe' } };
      const { body } = await hawser.ask<{ results: readonly { error?: object }[] }>('POST', '/hawser/v1/apply', {
        resources: [toV2],
        dryRun: true,
      });
      return body.results[0]?.error === undefined && /rule destination-without-endpoints/.test(await refusal(shiftOf(nowhere)));
    };
    await eventually(isKnown, 'the hub does not know the endpoints', DEADLINE_MS / 2);
  }, DEADLINE_MS);
  afterEach(async () => {
    await tell('abort');
    await hawser.ask('DELETE', `${SHIFTS}/reviews`);
  });
  afterAll(async () => {
    await hawser.stop();
    await Promise.all([
      ...apps.map((app) => app.crash()),
      ...servers.map((server) => new Promise((resolve) => server.close(resolve).closeAllConnections())),
    ]);
  }, DEADLINE_MS);

  it('is refused by the name of what is against it', async () => {
    await apply(shiftOf());
    const deep = `${'('.repeat(30)}result${')'.repeat(30)} > 0.0`;
    const long = `${Array.from({ length: 120 }, () => 'result > 0.0').join(' && ')}`;
    const cases: readonly (readonly [object, RegExp])[] = [
      [shiftOf({}, 'other'), /rule overlapping-shifts/],
      [shiftOf({ overrideSafetyRules: ['keep-two'] }), /there is no SafetyRule keep-two.*rule unknown-override/],
      [shiftOf({ schedule: { cron: '61 * * * *' } }), /spec\.schedule/],
      [shiftOf({ analysis: check({ source: { prometheus: { query: 'up' } }, condition: deep }) }), /analysis\.checks\[0\]\.condition/],
      [shiftOf({ analysis: check({ source: { prometheus: { query: 'up' } }, condition: long }) }), /analysis\.checks\[0\]\.condition/],
      [shiftOf({ analysis: check({ source: { prometheus: { query: 'up' } }, condition: '[1].map(i, i).size() > 0' }) }), /condition/],
      [shiftOf({ steps: [{ setWeights: { stable: 50, canary: 60 } }] }), /add up to 110/],
    ];
    for (const [resource, message] of cases) expect(await refusal(resource)).toMatch(message);
    await comesTo({ phase: 'Paused', pausedBy: 'step' });
  });

  it('shows of a rule that was against it that it holds, and what it refused', async () => {
    const rule = {
      ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'SafetyRule', metadata: { name: 'nothing-moves' } },
      spec: { type: 'gating', condition: 'verb != "shift"', message: 'shifts are for mondays' },
    };
    expect((await hawser.ask('POST', '/apis/hawser.dev/v1alpha1/safetyrules', rule)).status).toBe(201);
    const isRefused = async (): Promise<boolean> => {
      if (/shifts are for mondays.*rule nothing-moves/.test(await refusal(shiftOf()))) return true;
      await hawser.ask('DELETE', `${SHIFTS}/reviews`); // the hub had not read the rule yet
      return false;
    };
    await eventually(isRefused, 'the rule is not asked');
    const shown = (await hawser.ask<{ status: object }>('GET', '/apis/hawser.dev/v1alpha1/safetyrules/nothing-moves')).body.status;
    expect(shown).toMatchObject({
      refused: [
        { move: 'TrafficShift/bookinfo/reviews', message: expect.stringContaining('shifts are for mondays'), replica: expect.any(String) },
      ],
      conditions: expect.arrayContaining([expect.objectContaining({ type: 'Holds', status: 'True' })]),
    });
    await apply(shiftOf({ overrideSafetyRules: ['nothing-moves'] }));
    await comesTo({ phase: 'Paused', pausedBy: 'step' });
    expect((await hawser.ask('DELETE', '/apis/hawser.dev/v1alpha1/safetyrules/nothing-moves')).status).toBe(200);
  });

  it('pauses by a query that never answers, and says so', async () => {
    await apply(shiftOf({ analysis: check({ source: { prometheus: { query: 'up' } }, condition: 'result > 0.0' }) }));
    const { message } = await comesTo({ phase: 'Paused', pausedBy: 'inconclusive' });
    expect(message).toMatch(/check health is inconclusive: .*did not answer in 0\.25 s/);
  });

  it('is taken back by a guardrail while it is paused', async () => {
    health = 200;
    await apply(shiftOf({ analysis: check({ source: { http: { url: healthUrl } }, timeout: '5s' }) }));
    await comesTo({ phase: 'Paused', pausedBy: 'step' });
    await eventually(async () => (await statusOf()).checks?.[0]?.verdict === 'passed', 'the check does not pass');
    health = 500;
    const { message, ...status } = await comesTo({ phase: 'RolledBack' });
    expect([message, desired(status as ShiftStatus)]).toEqual([expect.stringMatching(/check health failed: .*answered 500/), [100, 0]]);
  });

  it('is taken back by its deadline though it is suspended', async () => {
    await apply(shiftOf({ suspend: true, progressDeadline: '2s' }));
    expect((await comesTo({ phase: 'RolledBack' })).message).toBe('no progress for 2s in step 1');
  });

  it('waits for the times of its schedule, in its time zone, the start weights in force', async () => {
    await apply(shiftOf({ schedule: { cron: '0 0 1 1 *', timeZone: 'Asia/Kolkata' } }));
    const { startsAt, ...status } = await comesTo({ phase: 'Pending' });
    expect([startsAt, desired(status as ShiftStatus)]).toEqual([expect.stringMatching(/^\d{4}-12-31T18:30:00\.000Z$/), [100, 0]]);
  });

  it('cannot be deleted while it moves where it says so', async () => {
    await apply(shiftOf({ revertOnDelete: false }));
    await comesTo({ phase: 'Paused' });
    const { status, body } = await hawser.ask<{ message: string }>('DELETE', `${SHIFTS}/reviews`);
    expect([status, body.message]).toEqual([409, expect.stringMatching(/it is Paused, and revertOnDelete is false: abort it first/)]);
    await tell('abort');
    await comesTo({ phase: 'RolledBack' });
    expect((await hawser.ask('DELETE', `${SHIFTS}/reviews`)).status).toBe(200);
  });

  it('goes on where it was, or back, though the hub is killed at every step', async () => {
    const steps = [HALF, { pause: {} }, { setWeights: { stable: 20, canary: 80 } }, { pause: {} }, { setWeights: { canary: 100 } }];
    const killed = async (): Promise<void> => {
      await (hawser.hub as Running).end('SIGKILL');
      await hawser.startHubAgain();
    };
    await apply(shiftOf({ steps }));
    for (const [stepIndex, canary] of [
      [1, 50],
      [3, 80],
    ] as const) {
      await killed();
      expect(desired(await comesTo({ phase: 'Paused', pausedBy: 'step', stepIndex }))).toEqual([100 - canary, canary]);
      await tell('promote');
    }
    await killed();
    await comesTo({ phase: 'Done' });
    await tell('abort');
    await killed();
    expect(desired(await comesTo({ phase: 'RolledBack' }))).toEqual([100, 0]);
  });
});
