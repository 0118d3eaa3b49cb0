/** The commands against a real hub with its own PostgreSQL and NATS: what they write, print and end with. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJoinToken } from '@hawser/wire/enrolment.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const BIN = join(import.meta.dirname, '../bin/hawser.mjs');

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
  let folder: string;
  let hub: ChildProcess;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hawser-cli-'));
    const [port, postgres, nats] = await freePorts(3);
    const ports = ['--port', `${port}`, '--postgres-port', `${postgres}`, '--nats-port', `${nats}`];
    hub = spawn(process.execPath, [BIN, 'hub', 'run', ...ports], {
      cwd: folder,
      env: environment(folder),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await saying(hub, 'hub is ready');
  });
  afterAll(async () => {
    const exited = new Promise((resolve) => hub.once('exit', resolve));
    hub.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  });

  const hawser = (args: readonly string[], input = '') => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
      cwd: folder,
      input,
      env: environment(folder),
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };
  const results = (stdout: string): readonly Record<string, unknown>[] => JSON.parse(stdout).results;

  it('applies a folder in order of reference, reports each as fixed, and repeats without a change', () => {
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
    const first = hawser(['apply', '-f', 'policies', '--wait', '-o', 'json', '--allow-unresolved']);
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
    const again = hawser(['apply', '-f', 'policies', '--wait', '-o', 'json']); // unchanged: nothing is written, so nothing is looked up
    expect(results(again.stdout).map(({ action, revision }) => [action, revision])).toEqual(
      results(first.stdout).map(({ revision }) => ['unchanged', revision]),
    );
  });

  it('configures what differs, and a dry run changes nothing', () => {
    const before = hawser(['get', 'vs', 'reviews', '-n', 'bookinfo', '-o', 'json']).stdout;
    const dry = hawser(['apply', '-f', '-', '--dry-run'], virtualService('reviews', [70, 30]));
    expect(dry).toMatchObject({ status: 0, stdout: 'virtualservice/reviews configured in bookinfo (dry run)\n' });
    expect(hawser(['get', 'vs', 'reviews', '-n', 'bookinfo', '-o', 'json']).stdout).toBe(before);
    const real = hawser(['apply', '-f', '-'], virtualService('reviews', [70, 30]));
    expect(real.stdout).toMatch(/^virtualservice\/reviews configured in bookinfo \(revision \d+\)\n$/);
    expect(JSON.parse(hawser(['get', 'vs/reviews', '-n', 'bookinfo', '-o', 'json']).stdout).metadata.generation).toBe(2);
  });

  it('applies again what get printed, and refuses it when somebody wrote in between', () => {
    const printed = hawser(['get', 'vs', '-A', '-o', 'yaml']).stdout;
    expect(hawser(['apply', '-f', '-'], printed).stdout).toMatch(/reviews unchanged/);
    expect(hawser(['apply', '-f', '-'], virtualService('reviews', [60, 40])).status).toBe(0);
    const stale = hawser(['apply', '-f', '-'], printed.replace('weight: 70', 'weight: 50').replace('weight: 30', 'weight: 50'));
    expect(stale.status).toBe(1);
    expect(stale.stderr).toMatch(/^<stdin>:\d+:\d+: VirtualService bookinfo\/reviews: /);
  });

  it('writes nothing when one document is bad, and names its file, line and field', () => {
    writeFileSync(join(folder, 'bad.yaml'), `${SHIFT.replace('half', 'other')}---\n${virtualService('ratings', [90, 20])}`);
    const { status, stderr } = hawser(['apply', '-f', 'bad.yaml']);
    expect(stderr).toMatch(/^bad\.yaml:\d+:\d+: VirtualService bookinfo\/ratings: spec\.http\[0\]\.route: weights add up to 110/);
    expect(status).toBe(1);
    expect(hawser(['get', 'ts', '-n', 'bookinfo', '-o', 'name']).stdout).toBe('trafficshift/half\n');
  });

  it('refuses references to nothing at their lines', () => {
    const { status, stderr } = hawser(
      ['apply', '-f', '-'],
      `${virtualService('reviews', [50, 50]).replace('subset: v2', 'subset: v9')}---\n${SHIFT}`,
    );
    expect(stderr).toMatch(
      /^<stdin>:12:48: VirtualService bookinfo\/reviews: spec\.http\[0\]\.route\[1\]\.destination\.subset: is v9, .* they have v1, v2$/m,
    );
    expect(status).toBe(1);
  });

  it('gives the hub’s own refusal its line, and keeps what was accepted beside it', () => {
    const twice = `${SHIFT.replace('half', 'kept')}---\n${SHIFT.replace('half', 'kept').replace('{name: kept,', '{name: kept, resourceVersion: "1",').replace('us-east: 50, us-west: 50', 'us-east: 100')}`;
    const { status, stdout, stderr } = hawser(['apply', '-f', '-', '--allow-unresolved'], twice);
    expect(stdout).toMatch(/^trafficshift\/kept created in bookinfo/);
    expect(stderr).toMatch(/^<stdin>:6:\d+: TrafficShift bookinfo\/kept: /);
    expect(status).toBe(1);
    expect(hawser(['delete', 'ts/kept', '-n', 'bookinfo']).status).toBe(0);
  });

  it('lists in every form', () => {
    expect(hawser(['get', 'fp', '-n', 'bookinfo']).stdout).toMatch(
      /^NAME +SERVICES +ORDER +SPILLOVER +PROGRAMMED +AGE\np +\* +us-east +gradual +\S/,
    );
    expect(hawser(['get', 'ts', '-A', '-o', 'wide']).stdout).toMatch(
      /^NAMESPACE +NAME .* REVISION +LABELS +AGE\nbookinfo +half +reviews +us-east=50,us-west=50 /,
    );
    expect(hawser(['get', 'vs'])).toMatchObject({
      status: 0,
      stdout: '',
      stderr: 'no virtualservices found in namespace default (-A: all namespaces)\n',
    });
    expect(hawser(['get', 'vs', '-A', '-l', 'team=web', '-o', 'name']).stdout).toBe('');
    expect(hawser(['describe', 'vs', 'reviews', '-n', 'bookinfo']).stdout).toMatch(
      /^Name: +reviews\n[\s\S]*Spec:\n[\s\S]*Rollout: +0 of 0 proxies/,
    );
    const missing = hawser(['get', 'vs', 'nothing', '-n', 'bookinfo']);
    expect(missing).toMatchObject({ status: 1, stdout: '' });
    expect(missing.stderr).toMatch(/VirtualService bookinfo\/nothing does not exist/);
  });

  it('makes a join token alone on stdout, and no cluster before it is used', () => {
    const { status, stdout } = hawser(['cluster', 'join', 'us-east', '--region', 'us-east', '--label', 'tier=prod']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^hawser1\.[\w-]+\n$/);
    expect(decodeJoinToken(stdout)).toMatchObject({ cluster: 'us-east', pin: expect.any(String) });
    expect(hawser(['cluster', 'join', 'us-west', '--region', 'No!']).status).toBe(2);
    expect(hawser(['cluster', 'remove', 'us-west'])).toMatchObject({ status: 1, stdout: '' });
  });

  it('answers the views of an empty federation', () => {
    expect(hawser(['status']).stdout).toMatch(/^hub 0\.1\.0, up .*revision \d+[\s\S]*database ok, bus ok/);
    expect(JSON.parse(hawser(['status', '-o', 'json']).stdout).clusters).toEqual(expect.any(Array));
    expect(hawser(['proxy-status', '-o', 'json']).stdout).toBe('{\n  "proxies": []\n}\n');
    expect(hawser(['proxy-config', 'nowhere/p'])).toMatchObject({ status: 1, stdout: '' });
    expect(hawser(['who-serves', 'bookinfo/reviews']).stderr).toMatch(/bookinfo\/reviews/);
  });

  it('tells what a resource was, goes back, and waits for what it is asked to', async () => {
    expect(hawser(['apply', '-f', '-', '--allow-unresolved'], SHIFT.replace('half', 'past')).status).toBe(0);
    const other = SHIFT.replace('half', 'past').replace('us-east: 50, us-west: 50', 'us-east: 100');
    const watching = spawn(process.execPath, [BIN, 'get', 'ts', '-n', 'bookinfo', '-w', '-o', 'name'], {
      cwd: folder,
      env: environment(folder),
    });
    let watched = '';
    watching.stdout.setEncoding('utf8').on('data', (text: string) => {
      watched += text;
    });
    await expect.poll(() => watched, { timeout: 20_000 }).toContain('trafficshift/past');
    watched = '';
    expect(hawser(['apply', '-f', '-', '--allow-unresolved'], other).status).toBe(0);
    await expect.poll(() => watched, { timeout: 20_000 }).toContain('trafficshift/past\n');
    const at = ['past', '-n', 'bookinfo'];
    expect(hawser(['history', 'ts', ...at]).stdout).toMatch(/^REVISION +ACTION +GENERATION .*\n\d+ +update +2 .*\n\d+ +create +1 /);
    expect(hawser(['rollback', 'ts', ...at, '--allow-unresolved', '--dry-run']).stdout).toBe('trafficshift/past rolled back (dry run)\n');
    expect(hawser(['rollback', 'ts', ...at, '--allow-unresolved', '--wait']).stdout).toMatch(
      /^trafficshift\/past rolled back \(revision \d+\)\n$/,
    );
    expect(JSON.parse(hawser(['get', 'ts', ...at, '-o', 'json']).stdout).spec.regions).toEqual({ 'us-east': 50, 'us-west': 50 });
    expect(JSON.parse(hawser(['history', 'ts', ...at, '--limit', '1', '-o', 'json']).stdout).items[0].reason).toMatch(
      /^rollback to revision \d+$/,
    );
    expect(hawser(['wait', 'ts', ...at, '--for=condition=Accepted'])).toMatchObject({
      status: 0,
      stdout: 'trafficshift/past condition met\n',
    });
    expect(hawser(['wait', 'ts', ...at, '--for', 'delete', '--timeout', '300ms']).status).toBe(4);
    expect(hawser(['wait', 'ts', 'none', '-n', 'bookinfo', '--for=condition=Ready']).status).toBe(1);
    expect(hawser(['wait', 'ts', ...at, '--for=luck']).status).toBe(2);
    expect(hawser(['complete', '--', 'get', 'ts', '-n', 'bookinfo', 'pa']).stdout).toBe('past\n');
    expect(hawser(['complete', '--', 'get', 'fail']).stdout).toBe('failoverpolicies\n');
    expect(hawser(['complete', '--', 'hist']).stdout).toBe('history\n');
    expect(hawser(['delete', 'ts', ...at]).status).toBe(0);
    await expect.poll(() => watched, { timeout: 20_000 }).toContain('past deleted');
    watching.kill();
  }, 60_000);

  it('deletes by name and by file, what refers first', () => {
    expect(hawser(['delete', 'fp', 'p', '-n', 'bookinfo']).stdout).toBe('failoverpolicy/p deleted in bookinfo\n');
    const files = hawser(['delete', '-f', 'policies/a.yaml', '-f', 'policies/c.yml']);
    expect(files.stdout.split('\n').map((line) => line.split('/')[0])).toEqual(['virtualservice', 'trafficshift', 'destinationrule', '']);
    expect(hawser(['delete', 'fp', 'p', '-n', 'bookinfo']).status).toBe(1);
    expect(hawser(['delete', 'fp', 'p', '-n', 'bookinfo', '--ignore-not-found']).status).toBe(0);
  });

  it('refuses a wrong token, and says where tokens come from', () => {
    const env = { ...environment(folder), HAWSER_TOKEN: 'wrong' };
    const { status, stderr } = spawnSync(process.execPath, [BIN, 'get', 'clusters'], { cwd: folder, env, encoding: 'utf8' });
    expect(stderr).toMatch(/the token comes from HAWSER_TOKEN, else from admin\.token/);
    expect(status).toBe(1);
    expect(readFileSync(join(folder, '.hawser/admin.token'), 'utf8')).not.toContain('wrong');
  });

  it('checks the hub part by part', () => {
    const { status, stdout } = hawser(['check']);
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^ok +hub database: ready$[\s\S]*^ok +hub bus: ready$/m)]);
    expect(JSON.parse(hawser(['check', '-o', 'json']).stdout)).toMatchObject({ ok: true });
  });

  it('makes, lists and revokes tokens; a role is enforced, and the audit tells of it', () => {
    const { stdout, stderr, status } = hawser([
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
    expect(hawser(['token', 'list']).stdout).toMatch(/looker +viewer +bookinfo +in 29d/);
    const asLooker = (args: readonly string[], input = '') =>
      spawnSync(process.execPath, [BIN, ...args], {
        ...{ cwd: folder, input, encoding: 'utf8' as const },
        env: { ...environment(folder), HAWSER_TOKEN: stdout.trim() },
      });
    expect(asLooker(['get', 'vs', '-n', 'bookinfo']).status).toBe(0);
    const refused = asLooker(['--verbose', 'delete', 'vs', 'reviews', '-n', 'bookinfo']);
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/has the role viewer, and to delete VirtualService .* needs operator/),
    ]);
    const trace = /DELETE .*: 403, request \S+, trace ([0-9a-f]{32})/.exec(refused.stderr)?.[1];
    expect(asLooker(['get', 'vs', '-n', 'other']).stderr).toMatch(/good for the namespace bookinfo alone/);
    expect(hawser(['token', 'revoke', 'looker']).stdout).toBe('token/looker revoked\n');
    expect(asLooker(['get', 'vs', '-n', 'bookinfo']).stderr).toMatch(/wrong, revoked or expired/);
    const denied = JSON.parse(hawser(['audit', '--actor', 'looker', '--outcome', 'denied', '--since', '1h', '-o', 'json']).stdout);
    expect(denied.items.at(-1)).toMatchObject({ verb: 'delete', kind: 'VirtualService', name: 'reviews', role: 'viewer', traceId: trace });
    expect(hawser(['audit', '--kind', 'Token']).stdout).toMatch(/admin \(admin\) +allowed 200 +delete +Token\/looker/);
    expect(hawser(['token', 'create', 'x', '--role', 'viewer', '--expires', 'soon']).status).toBe(2);
  });
});

/** No hub but the one of the folder's own state. */
function environment(folder: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('HAWSER_') || name.endsWith('_BIN'));
  return { ...Object.fromEntries(inherited), HAWSER_STATE_DIR: join(folder, '.hawser') };
}

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

/** Ports nobody listens on now, all different. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  return Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          const address = server.address();
          const port = address !== null && typeof address === 'object' ? address.port : 0;
          server.close(() => resolve(port));
        }),
    ),
  );
}
