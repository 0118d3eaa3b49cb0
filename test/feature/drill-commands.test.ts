/** A drill by its commands, over real processes and Envoys: what it would do, whether it could, and what people say to its runs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DrillReport } from '@hawser/model/drill-report.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, startApp } from '../datapath/kit/app.ts';
import { call, stream } from '../datapath/kit/load.ts';
import { serviceFile } from '../kit/federation.ts';
import { type GuideStep, guideSteps, missingLine, unrunCommands } from '../kit/guide.ts';
import { type Ended, HawserProcesses, type RunningCluster } from '../kit/hawser-processes.ts';
import { eventually } from '../kit/served.ts';

const [EAST, WEST] = ['us-east', 'us-west'] as const;
const [CLIENT, NEAR, FAR] = ['127.86.12.11', '127.86.12.12', '127.86.12.22'] as const;
const DEADLINE_MS = 120_000;
/** Nobody has said what us-west can take. */
const KNOWN = ['--override', 'headroom'];

const API = '/apis/hawser.dev/v1alpha1';
const HOST = 'productpage.bookinfo.svc.clusterset.local';
/** One that nobody has to consent to. */
const liveDrill = (name: string, scenario: object, hold: string): object => ({
  ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'Drill', metadata: { name } },
  spec: {
    ...{ scenario, mode: 'live', objectives: { rto: '5s' }, approvals: { required: 0 }, plan: { hold } },
    blastRadius: { services: { names: ['bookinfo/productpage'] }, maxTrafficPercent: 100 },
    guardrails: [
      { name: 'errors', source: { hub: { metric: 'errorRatio' } }, condition: 'result < 0.01', initialDelay: '0s', onNoData: 'pass' },
    ],
  },
});
const DRILL = `
apiVersion: hawser.dev/v1alpha1
kind: Drill
metadata: {name: lose-east}
spec:
  scenario: {type: regionLoss, from: {region: us-east}}
  objectives: {rto: 5s}
  blastRadius: {services: {names: [bookinfo/productpage]}, maxTrafficPercent: 100}
  guardrails: [{name: errors, source: {hub: {metric: errorRatio}}, condition: result < 0.01, initialDelay: 0s, window: 5s, onNoData: pass}]
  schedule: {cron: "0 10 * * 2", timeZone: Europe/Berlin}
`;

const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/first-drill.md'), 'utf8');
const LOOKS = /^npx hawser (status|top|drill (readiness|plan|calendar|status|trend))\b/;

describe('hawser drill', { timeout: DEADLINE_MS }, () => {
  const hawser = new HawserProcesses();
  const apps: App[] = [];
  let clusters: readonly RunningCluster[] = [];
  let approver = '';

  const drill = (args: readonly string[], token?: string): Promise<Ended> =>
    hawser.run(['drill', ...args], token === undefined ? {} : { token });
  const json = async <T>(...args: readonly string[]): Promise<T> => JSON.parse((await drill([...args, '-o', 'json'])).stdout) as T;
  const runLive = (...more: readonly string[]): Promise<Ended> =>
    drill(['run', 'lose-east', '--reason', 'a test', '--live', '--yes', ...KNOWN, ...more]);
  const said = (status: number, words: string | RegExp) => ({
    status,
    stdout: typeof words === 'string' ? expect.stringContaining(words) : expect.stringMatching(words),
  });

  /** What only looks is looked at again, as people would, until it is as the guide says. */
  const followed = async ({ line, script, exits, shown }: GuideStep): Promise<void> => {
    const end = Date.now() + DEADLINE_MS / 3;
    for (;;) {
      const { status, output } = await hawser.shell(script);
      const missing = missingLine(shown, output);
      if (status === exits && missing === undefined) return;
      if (!LOOKS.test(script) || Date.now() > end)
        throw new Error(`line ${line} of the guide: ${script}\nended with ${status}, and said\n${output}\nwithout ${missing ?? '…'}`);
    }
  };

  beforeAll(async () => {
    apps.push(await startApp('near', NEAR), await startApp('far', FAR));
    await hawser.startHub();
    const flat = ['--network', 'flat'];
    const [east, west] = await Promise.all([
      hawser.join(EAST, { 'productpage.yaml': serviceFile('productpage', [NEAR]) }, flat),
      hawser.join(WEST, { 'productpage.yaml': serviceFile('productpage', [FAR]) }, flat),
    ]);
    clusters = [east, west];
    const at = ({ xdsPort }: RunningCluster): string => `127.0.0.1:${xdsPort}`;
    await Promise.all([
      hawser.proxy(EAST, { serviceAccount: 'client', address: CLIENT, agents: [at(east)] }),
      hawser.proxy(EAST, { serviceAccount: 'default', name: 'near', address: NEAR, agents: [at(east)] }),
      hawser.proxy(WEST, { serviceAccount: 'default', name: 'far', address: FAR, agents: [at(west)] }),
    ]);
    expect(await hawser.run(['apply', '-f', '-'], { input: DRILL })).toMatchObject({ status: 0 });
    const token = await hawser.ask<{ readonly token: string }>('POST', '/hawser/v1/tokens', { name: 'bob', role: 'approver' });
    approver = token.body.token;
  }, DEADLINE_MS);
  afterAll(async () => {
    await hawser.stop();
    await Promise.all(apps.map((app) => app.crash()));
  }, DEADLINE_MS);

  it('is ready by every check when agents, proxies, endpoints and roots are', async () => {
    const missing = async (): Promise<string> => {
      const { checks } = await json<{ readonly checks: readonly { readonly name: string; readonly ready: boolean }[] }>(
        'readiness',
        'lose-east',
      );
      return checks
        .filter(({ ready }) => !ready)
        .map(({ name }) => name)
        .join();
    };
    let last = '';
    await eventually(
      async () => {
        last = await missing();
        return last === '';
      },
      () => `what is missing is ${last}`,
      DEADLINE_MS / 2,
    );
    expect(await drill(['readiness'])).toMatchObject(said(0, /Ready, starts in .*\n {2}√ rules: .*\n {2}√ agents: 2 clusters speak/));
  });

  it('plans what would move, and who would be left', async () => {
    const plan = await drill(['plan', 'lose-east', ...KNOWN]);
    expect(plan).toMatchObject(said(0, 'drill lose-east: regionLoss of region us-east (us-east), a dry run'));
    expect(plan.stdout).toContain('us-west would serve all of it; 1 must be left');
    expect(await drill(['plan', 'nothing'])).toMatchObject({ status: 1, stderr: expect.stringContaining('nothing') });
  });

  it('has its starts in the calendar, and in its status', async () => {
    expect(await drill(['calendar', '--days', '14'])).toMatchObject(said(0, /T0[89]:00Z +lose-east +region us-east +dryRun/));
    expect(await drill(['calendar', '--days', 'x'])).toMatchObject({ status: 2 });
    await eventually(
      async () => /"ReadyToRun"/.test((await hawser.run(['get', 'drill', 'lose-east', '-o', 'json'])).stdout),
      'its status does not say whether it is ready',
      DEADLINE_MS / 3,
    );
  });

  it('runs live with the consent of somebody else alone', async () => {
    const silent = await drill(['run', 'lose-east', '--reason', 'a test', '--live', ...KNOWN]);
    expect(silent).toMatchObject({ status: 1, stderr: expect.stringContaining('say --yes') });
    expect(await runLive('--timeout', '3s')).toMatchObject(said(4, 'AwaitingApproval after'));
    expect(await drill(['approve', 'lose-east'])).toMatchObject({ status: 1, stderr: expect.stringContaining('approvals.allowSelf') });
    expect(await drill(['note', 'lose-east', 'waiting for bob'])).toMatchObject(said(0, 'waiting for bob'));
    expect(await drill(['status'])).toMatchObject(said(0, /lose-east .*AwaitingApproval/));
    expect(await drill(['deny', 'lose-east', '--reason', 'not today'], approver)).toMatchObject(said(0, 'denied by'));
    expect(await drill(['status', 'lose-east', '--watch'])).toMatchObject(said(1, 'Skipped after'));
    expect(await drill(['status', 'nothing'])).toMatchObject({ status: 1, stderr: expect.stringContaining('there is no run nothing') });
  });

  it('is what its guide says, command by command, while callers notice nothing', { timeout: 3 * DEADLINE_MS }, async () => {
    const steps = guideSteps(GUIDE);
    expect(unrunCommands(GUIDE, steps)).toEqual([]);
    const to = { via: CLIENT, host: HOST };
    await eventually(async () => (await call(to)).servedBy === 'near', 'the service is not served by its own region', DEADLINE_MS / 3);
    const load = stream(to, 50);
    const { failures } = load.tally;
    try {
      for (const step of steps) await followed(step);
    } finally {
      await load.stop();
    }
    expect([...failures]).toEqual([]);
    expect(await drill(['abort', 'lose-us-east'])).toMatchObject({ status: 1, stderr: expect.stringContaining('it is over') });
    expect(await drill(['status'])).toMatchObject(said(0, 'no drill is under way'));
  });

  /** Begins one, and waits until all agents act as if they were cut off; its path, and how far their logs were then. */
  const cut = async (name: string, type: string, hold: string): Promise<{ readonly path: string; readonly logs: readonly number[] }> => {
    const before = await Promise.all(clusters.map(({ agent }) => agent.says('')));
    expect(await hawser.ask('POST', `${API}/drills`, liveDrill(name, { type }, hold))).toMatchObject({ status: 201 });
    const { body } = await hawser.ask<Resource>('POST', `${API}/drills/${name}/run`, { reason: 'a test' });
    const logs = await Promise.all(clusters.map(({ agent }, index) => agent.says('a drill cuts this agent off', before[index])));
    return { path: `${API}/drillruns/${body.metadata.name}`, logs };
  };
  const isBack = async (logs: readonly number[]): Promise<void> => {
    await Promise.all(clusters.map(({ agent }, index) => agent.says('hub and bus are heard again', logs[index])));
  };
  const evidenceOf = async (path: string): Promise<DrillReport['evidence']> => {
    let text = '';
    await eventually(
      async () => {
        text = await hawser.api(`${path}/report?format=json`).catch(() => '');
        return text.includes('"evidence"');
      },
      () => `there is no report: ${text}`,
      DEADLINE_MS / 2,
    );
    return (JSON.parse(text) as DrillReport).evidence;
  };

  it('cuts agents off from the hub and lets them back, while callers are served', async () => {
    const gets = stream({ via: CLIENT, host: HOST }, 50);
    const { path, logs } = await cut('no-hub', 'hubLoss', '2s');
    await isBack(logs);
    const { outcome, why, services } = await evidenceOf(path);
    expect({ outcome, why }).toMatchObject({ outcome: 'Passed', why: expect.stringContaining('errorRate was 0 %') });
    expect(services).toMatchObject([{ sourceCluster: EAST, failed: 0 }]);
    expect((await gets.stop()).failures).toEqual(new Map());
  });

  it.each<[string, object, readonly string[]]>([
    [
      'a shift to the other region and back',
      {
        type: 'trafficShift',
        shift: {
          ...{ destinations: [EAST, WEST].map((region) => ({ name: region, region })), advance: { observed: { minRequests: 0 } } },
          steps: [{ setWeights: { [EAST]: 50, [WEST]: 50 } }, { setWeights: { [WEST]: 100 } }],
        },
      },
      ['Shifting: step 1', 'Shifting: step 2'],
    ],
    [
      'a rotation of a root',
      { type: 'trustRotation', cluster: EAST },
      ['Rotating: Preparing', 'Rotating: Activating', 'Rotating: Tainting', 'Rotating: Retiring'],
    ],
  ])('goes through %s, while callers are served', async (_, scenario, parts) => {
    const [name, gets] = [`follow-${parts.length}`, stream({ via: CLIENT, host: HOST }, 50)];
    expect(await hawser.ask('POST', `${API}/drills`, liveDrill(name, scenario, '2s'))).toMatchObject({ status: 201 });
    const { body } = await hawser.ask<Resource>('POST', `${API}/drills/${name}/run`, { reason: 'a test' });
    const { outcome, why, phases, services, weights } = await evidenceOf(`${API}/drillruns/${body.metadata.name}`);
    expect({ outcome, why }).toMatchObject({ outcome: 'Passed', why: expect.stringContaining('errorRate was 0 %') });
    expect(phases.map(({ phase }) => phase)).toEqual(expect.arrayContaining([...parts, 'Holding', 'Restoring']));
    expect(services).toMatchObject([{ sourceCluster: EAST, failed: 0 }]);
    if (parts.length === 2) expect(weights).toContainEqual(expect.objectContaining({ cluster: WEST, desired: 100, acked: 100 }));
    expect((await gets.stop()).failures).toEqual(new Map());
    expect((await hawser.ask<{ readonly items: readonly unknown[] }>('GET', `${API}/trafficshifts`)).body.items).toEqual([]);
  });

  it('takes the traffic of a region elsewhere in steps, and back when somebody says so', async () => {
    const to = { via: CLIENT, host: HOST };
    const gets = stream(to, 50);
    const plan = { steps: [{ percent: 50, hold: '1s' }, { percent: 100 }], restoreSteps: [{ percent: 50, hold: '1s' }, { percent: 100 }] };
    const leave = liveDrill('leave-east', { type: 'drain', from: { region: EAST } }, '1s') as { spec: { plan: object } };
    const spec = { ...leave.spec, restore: { mode: 'manual' }, plan: { ...leave.spec.plan, ...plan } };
    expect(await hawser.ask('POST', `${API}/drills`, { ...leave, spec })).toMatchObject({ status: 201 });
    const reason = { reason: 'a test', overrides: ['headroom'] };
    const { body } = await hawser.ask<Resource>('POST', `${API}/drills/leave-east/run`, reason);
    const shown = async (): Promise<string> => (await drill(['status', 'leave-east'])).stdout;
    await eventually(async () => (await shown()).includes('hawser drill restore'), 'it does not wait for anybody', DEADLINE_MS / 2);
    expect((await call(to)).servedBy).toBe('far');
    expect(await drill(['restore', 'leave-east', '--reason', 'seen enough'])).toMatchObject(said(0, 'Passed after'));
    expect((await call(to)).servedBy).toBe('near');
    const { phases, timeline, services } = await evidenceOf(`${API}/drillruns/${body.metadata.name}`);
    expect(phases.map(({ phase }) => phase)).toEqual(expect.arrayContaining(['Shifting', 'Holding', 'Restoring']));
    expect(timeline.map(({ detail }) => detail)).toEqual(
      expect.arrayContaining(['50 %', '100 % goes elsewhere', expect.stringContaining('asked for it'), '0 % goes elsewhere']),
    );
    expect(services).toMatchObject([{ sourceCluster: EAST, failed: 0 }]);
    expect((await gets.stop()).failures).toEqual(new Map());
  });

  it('lets agents back to the bus when their lease is over, though the hub was killed meanwhile', async () => {
    const gets = stream({ via: CLIENT, host: HOST }, 50);
    const { path, logs } = await cut('no-bus', 'busPartition', '3s');
    await hawser.hub?.end('SIGKILL');
    await isBack(logs);
    await hawser.startHubAgain();
    const { outcome, why, versions, services, phases } = await evidenceOf(path);
    expect({ outcome, why }).toMatchObject({ outcome: 'Passed', why: expect.stringContaining('errorRate was 0 %') });
    // Nearly all of it passed while nobody heard the agents: they have told it again.
    const lasted = Date.parse(phases.at(-1)?.to ?? '') - Date.parse(phases.find(({ phase }) => phase === 'Holding')?.from ?? '');
    expect(services).toMatchObject([{ sourceCluster: EAST, failed: 0 }]);
    expect((services[0]?.unknownSeconds ?? 0) * 2_000).toBeLessThan(lasted);
    const version = expect.stringMatching(/^\d+\.\d+/);
    expect(versions).toMatchObject({
      agents: [{ cluster: EAST }, { cluster: WEST }],
      envoys: [
        { cluster: EAST, version, proxies: 2 },
        { cluster: WEST, version, proxies: 1 },
      ],
      servers: [
        { name: 'NATS', version },
        { name: 'PostgreSQL', version },
      ],
    });
    expect((await gets.stop()).failures).toEqual(new Map());
  });
});
