/** The commands against a real hub with its own PostgreSQL and NATS: what they write, print and end with. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJoinToken } from '@hawser/wire/enrolment.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../../test/kit/ports.ts';
import { BIN, between, environmentOf, type Outcome, runHere, runSpawned } from './command-fixture.ts';

const DESTINATION_RULE = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: bookinfo}
spec:
  host: reviews
  subsets:
    - {name: v1, labels: {version: v1}}
    - {name: v2, labels: {version: v2}}
`;
const virtualService = (name: string, weights: readonly [number, number]): string => `apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: ${name}
  namespace: bookinfo
spec:
  hosts: [${name}]
  http:
    - route:
        - destination: {host: reviews, subset: v1}
          weight: ${weights[0]}
        - destination: {host: reviews, subset: v2}
          weight: ${weights[1]}
`;
const SHIFT = `apiVersion: hawser.dev/v1alpha1
kind: TrafficShift
metadata: {name: half, namespace: bookinfo}
spec: {services: [reviews], regions: {us-east: 50, us-west: 50}}
`;

describe('hawser with a hub', () => {
  const home = process.cwd();
  let folder: string;
  let hub: ChildProcess;
  let port: number;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hawser-cli-'));
    process.chdir(folder);
    const [api, postgres, nats] = await Promise.all([freePort(), freePort(), freePort()]);
    port = api;
    const ports = ['--port', `${port}`, '--postgres-port', `${postgres}`, '--nats-port', `${nats}`];
    hub = spawn(process.execPath, [BIN, 'hub', 'run', ...ports], {
      cwd: folder,
      env: environment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await saying(hub, 'hub is ready');
  });
  afterAll(async () => {
    const exited = new Promise((resolve) => hub.once('exit', resolve));
    hub.kill('SIGTERM');
    await exited;
    process.chdir(home);
    rmSync(folder, { recursive: true, force: true });
  });

  const environment = (): NodeJS.ProcessEnv => environmentOf(join(folder, '.hawser'));
  const hawser = (args: readonly string[], input = ''): Promise<Outcome> => runHere(args, { env: environment(), input });
  const results = (stdout: string): readonly Record<string, unknown>[] => JSON.parse(stdout).results;

  it('applies a folder in order of reference, reports each as fixed, and repeats without a change', async () => {
    mkdirSync(join(folder, 'policies'));
    writeFileSync(join(folder, 'policies/a.yaml'), `${virtualService('reviews', [90, 10])}---\n${SHIFT}`);
    writeFileSync(
      join(folder, 'policies/b.json'),
      JSON.stringify({
        apiVersion: 'hawser.dev/v1alpha1',
        kind: 'FailoverPolicy',
        metadata: { name: 'p', namespace: 'bookinfo' },
        spec: { order: ['us-east'] },
      }),
    );
    writeFileSync(join(folder, 'policies/c.yml'), DESTINATION_RULE);
    const first = await hawser(['apply', '-f', 'policies', '--wait', '-o', 'json', '--allow-unresolved']);
    expect(first.stderr).toBe('');
    expect(first.status).toBe(0);
    expect(results(first.stdout).map(({ kind, action }) => [kind, action])).toEqual([
      ['DestinationRule', 'created'],
      ['FailoverPolicy', 'created'],
      ['TrafficShift', 'created'],
      ['VirtualService', 'created'],
    ]);
    expect(results(first.stdout)[3]).toEqual({
      kind: 'VirtualService',
      namespace: 'bookinfo',
      name: 'reviews',
      action: 'created',
      revision: expect.any(Number),
      proxies: { expected: 0, acked: 0, nacked: 0 },
      nacks: [],
      durationMs: expect.any(Number),
    });
    const again = await hawser(['apply', '-f', 'policies', '--wait', '-o', 'json']); // unchanged: nothing is written, so nothing is looked up
    expect(results(again.stdout).map(({ action, revision }) => [action, revision])).toEqual(
      results(first.stdout).map(({ revision }) => ['unchanged', revision]),
    );
  });

  it('configures what differs, and a dry run changes nothing', async () => {
    const before = (await hawser(['get', 'vs', 'reviews', '-n', 'bookinfo', '-o', 'json'])).stdout;
    const env = environment();
    const dry = await runSpawned(['apply', '-f', '-', '--dry-run'], { env, input: virtualService('reviews', [70, 30]) });
    expect(dry).toMatchObject({ status: 0, stdout: 'virtualservice/reviews configured in bookinfo (dry run)\n' });
    expect((await hawser(['get', 'vs', 'reviews', '-n', 'bookinfo', '-o', 'json'])).stdout).toBe(before);
    const real = await hawser(['apply', '-f', '-'], virtualService('reviews', [70, 30]));
    expect(real.stdout).toMatch(/^virtualservice\/reviews configured in bookinfo \(revision \d+\)\n$/);
    expect(JSON.parse((await hawser(['get', 'vs/reviews', '-n', 'bookinfo', '-o', 'json'])).stdout).metadata.generation).toBe(2);
  });

  it('applies many at once, names what is refused, and goes one by one where a token is good for one namespace alone', async () => {
    const rules = Array.from({ length: 12 }, (_, index) => DESTINATION_RULE.replace('name: reviews', `name: many-${index}`));
    const all = [...rules, virtualService('many', [90, 10]).replace('host: reviews', 'host: many-99')].join('---\n');
    const { status, stdout, stderr } = await hawser(['apply', '-f', '-', '-o', 'json', '--wait'], all);
    expect(stderr).toMatch(
      /^<stdin>:\d+:\d+: VirtualService bookinfo\/many: spec\.http\[0\]\.route\[0\]\.destination\.subset: is v1, which no/m,
    );
    expect(status).toBe(1);
    const actions = results(stdout).map(({ action }) => action);
    expect(actions).toEqual([...rules.map(() => 'created'), 'failed']);
    const made = await hawser(['token', 'create', 'narrow', '--role', 'operator', '--namespace', 'bookinfo']);
    const env = { ...environment(), HAWSER_TOKEN: made.stdout.trim() };
    const narrow = await runHere(['apply', '-f', '-', '-o', 'json'], { env, input: rules.join('---\n') });
    expect(results(narrow.stdout).map(({ action }) => action)).toEqual(rules.map(() => 'unchanged'));
    expect((await hawser(['delete', '-f', '-'], rules.join('---\n'))).status).toBe(0);
  });

  it('applies again what get printed, and refuses it when somebody wrote in between', async () => {
    const printed = (await hawser(['get', 'vs', '-A', '-o', 'yaml'])).stdout;
    expect((await hawser(['apply', '-f', '-'], printed)).stdout).toMatch(/reviews unchanged/);
    expect((await hawser(['apply', '-f', '-'], virtualService('reviews', [60, 40]))).status).toBe(0);
    const stale = await hawser(['apply', '-f', '-'], printed.replace('weight: 70', 'weight: 50').replace('weight: 30', 'weight: 50'));
    expect(stale.status).toBe(1);
    expect(stale.stderr).toMatch(/^<stdin>:\d+:\d+: VirtualService bookinfo\/reviews: /);
  });

  it('writes nothing when one document is bad, and names its file, line and field', async () => {
    writeFileSync(join(folder, 'bad.yaml'), `${SHIFT.replace('half', 'other')}---\n${virtualService('ratings', [0, 0])}`);
    const { status, stderr } = await hawser(['apply', '-f', 'bad.yaml']);
    expect(stderr).toMatch(/^bad\.yaml:\d+:\d+: VirtualService bookinfo\/ratings: spec\.http\[0\]\.route: weights add up to 0/);
    expect(status).toBe(1);
    expect((await hawser(['get', 'ts', '-n', 'bookinfo', '-o', 'name'])).stdout).toBe('trafficshift/half\n');
  });

  it('refuses references to nothing at their lines', async () => {
    const { status, stderr } = await hawser(
      ['apply', '-f', '-'],
      `${virtualService('reviews', [50, 50]).replace('subset: v2', 'subset: v9')}---\n${SHIFT}`,
    );
    expect(stderr).toMatch(
      /^<stdin>:12:48: VirtualService bookinfo\/reviews: spec\.http\[0\]\.route\[1\]\.destination\.subset: is v9, .* they have v1, v2$/m,
    );
    expect(status).toBe(1);
  });

  it('gives the hub’s own refusal its line, and keeps what was accepted beside it', async () => {
    const twice = `${SHIFT.replace('half', 'kept')}---\n${SHIFT.replace('half', 'kept').replace('{name: kept,', '{name: kept, resourceVersion: "1",').replace('us-east: 50, us-west: 50', 'us-east: 100')}`;
    const { status, stdout, stderr } = await hawser(['apply', '-f', '-', '--allow-unresolved'], twice);
    expect(stdout).toMatch(/^trafficshift\/kept created in bookinfo/);
    expect(stderr).toMatch(/^<stdin>:6:\d+: TrafficShift bookinfo\/kept: /m);
    expect(status).toBe(1);
    expect((await hawser(['delete', 'ts/kept', '-n', 'bookinfo'])).status).toBe(0);
  });

  it('says of what was written what is probably not meant, alone and among many, and that it is written all the same', async () => {
    const behind = virtualService('odd', [50, 50]).replace('  http:', '  http:\n    - route: [{destination: {host: reviews}}]');
    const odd = await hawser(['apply', '-f', '-'], behind);
    expect(odd.stderr).toMatch(
      /^<stdin>:10:7: VirtualService bookinfo\/odd: spec\.http\[1\]: warning HW0201: gets no request: spec\.http\[0\] takes every request; put it/,
    );
    expect(odd).toMatchObject({ status: 0, stdout: expect.stringMatching(/^virtualservice\/odd created/) });
    const many = Array.from({ length: 9 }, (_, index) =>
      behind.replace('name: odd', `name: odd-${index}`).replace('[odd]', `[odd-${index}]`),
    );
    const together = await hawser(['apply', '-f', '-', '-o', 'json', '--dry-run'], many.join('---\n'));
    expect(results(together.stdout).map(({ action, warnings }) => [action, warnings])).toEqual(
      many.map(() => ['created', [{ code: 'HW0201', field: 'spec.http[1]', message: expect.stringContaining('put it before that rule') }]]),
    );
    expect((await hawser(['delete', 'vs/odd', '-n', 'bookinfo'])).status).toBe(0);
  });

  it('analyses what the hub holds, and files together with it', async () => {
    const held = await hawser(['analyze', '-o', 'json']);
    expect(JSON.parse(held.stdout)).toMatchObject({ findings: expect.any(Array), files: 0, resources: 0, stored: expect.any(Number) });
    writeFileSync(join(folder, 'other.yaml'), DESTINATION_RULE.replace('v2, labels: {version: v2}', 'v3, labels: {version: v3}'));
    const files = await hawser(['analyze', '-f', 'other.yaml', '--hub']);
    expect(files.stdout, 'what the file would break of what is stored').toMatch(
      /^error HW0105: VirtualService bookinfo\/reviews: spec\.http\[0\]\.route\[1\]\.destination\.subset: .* the subset v2/m,
    );
    expect(files.stdout).toMatch(/^other\.yaml:\d+:\d+: info HW0107: DestinationRule bookinfo\/reviews: spec\.subsets\[1\]/m);
    expect(files.stdout).toMatch(/in 1 resource of 1 file and \d+ resources of the hub\n$/);
    expect(files.status).toBe(1);
  });

  it('lists in every form', async () => {
    expect((await hawser(['get', 'fp', '-n', 'bookinfo'])).stdout).toMatch(
      /^NAME +SERVICES +ORDER +SPILLOVER +PROGRAMMED +OWNER +AGE\np +\* +us-east +gradual +\S/,
    );
    expect((await hawser(['get', 'ts', '-A', '-o', 'wide'])).stdout).toMatch(
      /^NAMESPACE +NAME .* REVISION +LABELS +AGE\nbookinfo +half +reviews +us-east=50,us-west=50 /,
    );
    expect(await hawser(['get', 'vs'])).toMatchObject({
      status: 0,
      stdout: '',
      stderr: 'no virtualservices found in namespace default (-A: all namespaces)\n',
    });
    expect((await hawser(['get', 'vs', '-A', '-l', 'team=web', '-o', 'name'])).stdout).toBe('');
    expect((await hawser(['describe', 'vs', 'reviews', '-n', 'bookinfo'])).stdout).toMatch(
      /^Name: +reviews\n[\s\S]*Spec:\n[\s\S]*Rollout: +0 of 0 proxies/,
    );
    const missing = await hawser(['get', 'vs', 'nothing', '-n', 'bookinfo']);
    expect(missing).toMatchObject({ status: 1, stdout: '' });
    expect(missing.stderr).toMatch(/VirtualService bookinfo\/nothing does not exist/);
  });

  it('makes a join token alone on stdout, and no cluster before it is used', async () => {
    const { status, stdout } = await hawser(['cluster', 'join', 'us-east', '--region', 'us-east', '--label', 'tier=prod']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^hawser1\.[\w-]+\n$/);
    expect(decodeJoinToken(stdout)).toMatchObject({ cluster: 'us-east', pin: expect.any(String) });
    expect((await hawser(['cluster', 'join', 'us-west', '--region', 'No!'])).status).toBe(2);
    expect(await hawser(['cluster', 'remove', 'us-west'])).toMatchObject({ status: 1, stdout: '' });
  });

  it('answers the views of an empty federation', async () => {
    expect((await hawser(['status'])).stdout).toMatch(/^hub 0\.1\.0, up .*revision \d+[\s\S]*database ok, bus ok/);
    expect(JSON.parse((await hawser(['status', '-o', 'json'])).stdout).clusters).toEqual(expect.any(Array));
    expect((await hawser(['proxy-status', '-o', 'json'])).stdout).toBe('{\n  "proxies": []\n}\n');
    expect(await hawser(['proxy-config', 'nowhere/p'])).toMatchObject({ status: 1, stdout: '' });
    expect((await hawser(['who-serves', 'bookinfo/reviews'])).stderr).toMatch(/bookinfo\/reviews/);
  });

  it('tells what a resource was, goes back, and waits for what it is asked to', async () => {
    expect((await hawser(['apply', '-f', '-', '--allow-unresolved'], SHIFT.replace('half', 'past'))).status).toBe(0);
    const other = SHIFT.replace('half', 'past').replace('us-east: 50, us-west: 50', 'us-east: 100');
    const watching = spawn(process.execPath, [BIN, 'get', 'ts', '-n', 'bookinfo', '-w', '-o', 'name'], {
      cwd: folder,
      env: environment(),
    });
    let watched = '';
    watching.stdout.setEncoding('utf8').on('data', (text: string) => {
      watched += text;
    });
    await expect.poll(() => watched, { timeout: 20_000 }).toContain('trafficshift/past');
    watched = '';
    expect((await hawser(['apply', '-f', '-', '--allow-unresolved'], other)).status).toBe(0);
    await expect.poll(() => watched, { timeout: 20_000 }).toContain('trafficshift/past\n');
    const at = ['past', '-n', 'bookinfo'];
    expect((await hawser(['history', 'ts', ...at])).stdout).toMatch(/^REVISION +ACTION +GENERATION .*\n\d+ +update +2 .*\n\d+ +create +1 /);
    expect((await hawser(['rollback', 'ts', ...at, '--allow-unresolved', '--dry-run'])).stdout).toBe(
      'trafficshift/past rolled back (dry run)\n',
    );
    expect((await hawser(['rollback', 'ts', ...at, '--allow-unresolved', '--wait'])).stdout).toMatch(
      /^trafficshift\/past rolled back \(revision \d+\)\n$/,
    );
    expect(JSON.parse((await hawser(['get', 'ts', ...at, '-o', 'json'])).stdout).spec.regions).toEqual({ 'us-east': 50, 'us-west': 50 });
    expect(JSON.parse((await hawser(['history', 'ts', ...at, '--limit', '1', '-o', 'json'])).stdout).items[0].reason).toMatch(
      /^rollback to revision \d+$/,
    );
    expect(await hawser(['wait', 'ts', ...at, '--for=condition=Accepted'])).toMatchObject({
      status: 0,
      stdout: 'trafficshift/past condition met\n',
    });
    expect((await hawser(['wait', 'ts', ...at, '--for', 'delete', '--timeout', '300ms'])).status).toBe(4);
    expect((await hawser(['wait', 'ts', 'none', '-n', 'bookinfo', '--for=condition=Ready'])).status).toBe(1);
    expect((await hawser(['wait', 'ts', ...at, '--for=luck'])).status).toBe(2);
    expect((await hawser(['complete', '--', 'get', 'ts', '-n', 'bookinfo', 'pa'])).stdout).toBe('past\n');
    expect((await hawser(['complete', '--', 'get', 'fail'])).stdout).toBe('failoverpolicies\n');
    expect((await hawser(['complete', '--', 'hist'])).stdout).toBe('history\n');
    expect((await hawser(['delete', 'ts', ...at])).status).toBe(0);
    await expect.poll(() => watched, { timeout: 20_000 }).toContain('past deleted');
    watching.kill();
  }, 60_000);

  it.each([
    ['delete', 'deleted', 0],
    ['delete', 'made anew', 0],
    ['condition=Programmed', 'deleted', 1],
    ['condition=Programmed', 'made anew', 1],
  ])('waits for %s of what is %s between its first look and its watch', async (what, becomes, status) => {
    const at = ['ts', 'brief', '-n', 'bookinfo'];
    const make = () => hawser(['apply', '-f', '-', '--allow-unresolved'], SHIFT.replace('half', 'brief'));
    expect((await make()).status).toBe(0);
    const way = await between(`http://127.0.0.1:${port}`, async (request) => {
      if (request !== 2) return;
      expect((await hawser(['delete', ...at])).status).toBe(0);
      if (becomes === 'made anew') expect((await make()).status).toBe(0);
    });
    const env = { ...environment(), HAWSER_SERVER: way.url };
    expect((await runHere(['wait', ...at, `--for=${what}`, '--timeout', '20s'], { env })).status).toBe(status);
    way.close();
    expect((await hawser(['delete', ...at, '--ignore-not-found'])).status).toBe(0);
  });

  it('deletes by name and by file, what refers first', async () => {
    expect((await hawser(['delete', 'fp', 'p', '-n', 'bookinfo'])).stdout).toBe('failoverpolicy/p deleted in bookinfo\n');
    const files = await hawser(['delete', '-f', 'policies/a.yaml', '-f', 'policies/c.yml']);
    expect(files.stdout.split('\n').map((line) => line.split('/')[0])).toEqual(['virtualservice', 'trafficshift', 'destinationrule', '']);
    expect((await hawser(['delete', 'fp', 'p', '-n', 'bookinfo'])).status).toBe(1);
    expect((await hawser(['delete', 'fp', 'p', '-n', 'bookinfo', '--ignore-not-found'])).status).toBe(0);
  });

  it('refuses a wrong token, and says where tokens come from', async () => {
    const env = { ...environment(), HAWSER_TOKEN: 'wrong' };
    const { status, stderr } = await runSpawned(['get', 'clusters'], { env });
    expect(stderr).toMatch(/the token comes from HAWSER_TOKEN, else from admin\.token/);
    expect(status).toBe(1);
    expect(readFileSync(join(folder, '.hawser/admin.token'), 'utf8')).not.toContain('wrong');
  });

  it('checks the hub part by part', async () => {
    const { status, stdout } = await hawser(['check']);
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^ok +hub database: ready$[\s\S]*^ok +hub bus: ready$/m)]);
    expect(JSON.parse((await hawser(['check', '-o', 'json'])).stdout)).toMatchObject({ ok: true });
  });

  it('makes, lists and revokes tokens; a role is enforced, and the audit tells of it', async () => {
    const { stdout, stderr, status } = await hawser([
      'token',
      'create',
      'looker',
      '--role',
      'viewer',
      '--namespace',
      'bookinfo',
      '--expires',
      '30d',
    ]);
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^hawser_[\w-]{43}\n$/)]);
    expect(stderr).toMatch(/shown this once.*good until 20/);
    expect((await hawser(['token', 'list'])).stdout).toMatch(/looker +viewer +bookinfo +- +in 29d/);
    const asLooker = (args: readonly string[]): Promise<Outcome> =>
      runHere(args, { env: { ...environment(), HAWSER_TOKEN: stdout.trim() } });
    expect((await asLooker(['get', 'vs', '-n', 'bookinfo'])).status).toBe(0);
    const refused = await asLooker(['--verbose', 'delete', 'vs', 'reviews', '-n', 'bookinfo']);
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/has the role viewer, and to delete VirtualService .* needs operator/),
    ]);
    const trace = /DELETE .*: 403, request \S+, trace ([0-9a-f]{32})/.exec(refused.stderr)?.[1];
    expect((await asLooker(['get', 'vs', '-n', 'other'])).stderr).toMatch(/good for the namespace bookinfo alone/);
    expect((await hawser(['token', 'revoke', 'looker'])).stdout).toBe('token/looker revoked\n');
    expect((await asLooker(['get', 'vs', '-n', 'bookinfo'])).stderr).toMatch(/wrong, revoked or expired/);
    const denied = JSON.parse((await hawser(['audit', '--actor', 'looker', '--outcome', 'denied', '--since', '1h', '-o', 'json'])).stdout);
    expect(denied.items.at(-1)).toMatchObject({ verb: 'delete', kind: 'VirtualService', name: 'reviews', role: 'viewer', traceId: trace });
    expect((await hawser(['audit', '--kind', 'Token'])).stdout).toMatch(/admin \(admin\) +allowed 200 +delete +Token\/looker/);
    expect((await hawser(['token', 'create', 'x', '--role', 'viewer', '--expires', 'soon'])).status).toBe(2);
  });

  it('freezes, shows what holds, and thaws', async () => {
    expect((await hawser(['freeze', 'list'])).stderr).toMatch(/nothing is frozen/);
    const on = ['freeze', 'on', 'incident', '--reason', 'lost orders'];
    expect((await hawser([...on, '--for', '4h'])).stdout).toMatch(/^freeze\/incident on until 20/);
    expect((await hawser(['freeze', 'list'])).stdout).toMatch(/incident +True +always +20\S+ +\* +lost orders/);
    expect((await hawser([...on, '--date', '1999-12-31', '--region', 'us-east', '--no-emergency'])).stdout).toBe(
      'freeze/incident changed\n',
    );
    expect((await hawser(['get', 'freezes'])).stdout).toMatch(
      /incident +False \(OutsideOfItsTimes\) +dates=1999-12-31 UTC +deleted +regions=us-east/,
    );
    const wrong = await hawser([...on, '--blocked', 'Fri:25:00-Mon:08:00']);
    expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringContaining('spec.windows.blocked[0]')]);
    expect((await hawser([...on, '--for', '4h', '--until', '2030-01-01T00:00:00Z'])).status).toBe(2);
    expect((await hawser(['freeze', 'off', 'incident'])).stdout).toBe('freeze/incident off\n');
    expect(await hawser(['notifications'])).toMatchObject({ status: 0, stderr: expect.stringContaining('--integrations') });
  });
});

/** Resolves when the process logs the message; rejects with its log when it ends before. */
function saying(process: ChildProcess, message: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    process.stderr?.on('data', (chunk) => {
      log += chunk;
      if (log.includes(message)) resolve();
    });
    process.once('exit', () => reject(new Error(`the hub ended: ${log}`)));
  });
}
