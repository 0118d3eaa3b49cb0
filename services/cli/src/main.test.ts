/** The command without a hub: exit codes, help and errors. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BIN, environmentOf, type Outcome, runHere, runSpawned, textOf } from './command-fixture.ts';

describe('hawser', () => {
  const home = process.cwd();
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hawser-cli-'));
    process.chdir(folder);
  });
  afterEach(() => {
    process.chdir(home);
    rmSync(folder, { recursive: true });
  });

  const hawser = (args: readonly string[]): Promise<Outcome> => runHere(args, { env: environmentOf(folder) });

  it('is a process: help on stdout with 0, complaints on stderr with 2', async () => {
    const env = environmentOf(folder);
    const [help, wrong] = await Promise.all([runSpawned(['--help'], { env }), runSpawned(['nonsense'], { env })]);
    expect([help.status, help.stderr, help.stdout]).toEqual([0, '', expect.stringMatching(/^Usage: hawser [\s\S]*Examples:/)]);
    expect([wrong.status, wrong.stdout, wrong.stderr]).toEqual([2, '', expect.stringMatching(/unknown command 'nonsense'/)]);
  });

  it('ends quietly when nobody reads on, as under head', async () => {
    const child = spawn(process.execPath, [BIN, 'explain', 'vs'], { env: environmentOf(folder), stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    const complaints = textOf(child.stderr);
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    expect(complaints()).toBe('');
  });

  it.each([['--help'], ['apply', '--help'], ['proxy', 'run', '--help'], ['cluster', 'join', '--help']])(
    'teaches with examples: %s %s %s',
    async (...args) => {
      const { status, stdout } = await hawser(args);
      expect(status).toBe(0);
      expect(stdout).toMatch(/Examples?:\n {2}hawser /);
    },
  );

  it.each([
    [['nonsense'], /unknown command 'nonsense'/],
    [['apply'], /required option '-f, --filename/],
    [['get', 'nonsense'], /there is no kind nonsense; the hub serves clusters, .*virtualservices\|vs/],
    [['who-serves', 'reviews'], /name the service as NAMESPACE\/SERVICE/],
    [['proxy-config', 'reviews'], /name the proxy as CLUSTER\/PROXY/],
    [['proxy', 'token', '--cluster', 'Bad!', '--namespace', 'a', '--service-account', 'b'], /--cluster Bad!: must be lower case/],
    [['check', '--agent-namespace', 'mesh'], /--agent-namespace is for hawser check --pre/],
    [['apply', '-f', '-', '--timeout', 'soon'], /--timeout soon: not a duration such as 30s/],
    [['get', 'vs', '--server', 'http://hub.example'], /plain HTTP is for loopback addresses only/],
  ])('ends with 2 for %j and says why', async (args, expected) => {
    const { status, stderr } = await hawser(args);
    expect(stderr).toMatch(expected);
    expect(status).toBe(2);
  });

  it('says how to start a hub when there is none', async () => {
    const { status, stderr } = await hawser(['get', 'clusters']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/no hub is known here: .*admin\.token is not there; start one with "npx hawser hub run"/);
    writeFileSync(join(folder, 'admin.token'), 'secret');
    expect((await hawser(['get', 'clusters', '--server', 'http://127.80.250.1:1080'])).stderr).toMatch(
      /no hub answers at http:\/\/127\.80\.250\.1:1080 \(.*ECONNREFUSED/,
    );
  });

  it('refuses bad files at their lines before it looks for a hub', async () => {
    writeFileSync(
      join(folder, 'policy.yaml'),
      'apiVersion: networking.istio.io/v1\nkind: VirtualServce\nmetadata: {name: a}\n---\nkind: [\n',
    );
    const { status, stdout, stderr } = await hawser(['apply', '-f', 'policy.yaml', '-o', 'json']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^policy\.yaml:2:7: VirtualServce a: kind: unknown kind "VirtualServce"/m);
    expect(stderr).toMatch(/^policy\.yaml:\d+:\d+: not valid YAML: /m);
    expect(stderr).toMatch(/^nothing was applied$/m);
    expect(JSON.parse(stdout)).toMatchObject({
      results: [],
      errors: [{ file: 'policy.yaml', line: 2, column: 7, field: 'kind' }, { file: 'policy.yaml' }],
    });
  });

  it('makes a token that its agent accepts, in a file of its owner alone', async () => {
    const args = ['proxy', 'token', '--cluster', 'us-east', '--namespace', 'bookinfo', '--service-account', 'reviews'];
    const { status, stdout } = await hawser(args);
    expect(status).toBe(0);
    expect((await hawser([...args, '--out', 'token', '--name', 'reviews-v1'])).stdout).toBe('');
    expect(statSync(join(folder, 'token')).mode & 0o777).toBe(0o600);
    const { proxyTokenVerifier } = await import('@hawser/agent/trust/proxy-tokens.ts');
    const verify = await proxyTokenVerifier(join(folder, 'agents/us-east'), 'us-east');
    const identity = { cluster: 'us-east', namespace: 'bookinfo', serviceAccount: 'reviews', expiresAt: expect.any(Number) };
    expect(await verify(stdout.trim())).toEqual(identity);
    expect(await verify(readFileSync(join(folder, 'token'), 'utf8').trim())).toEqual({ ...identity, name: 'reviews-v1' });
  });

  it('explains fields from the schema that validates them', async () => {
    expect((await hawser(['explain', 'vs.http.route'])).stdout).toMatch(
      /A HTTP rule can [\s\S]*destination +object +yes +Destination uniquely [\s\S]*\n +weight +number +- +Weight specifies/,
    );
    expect((await hawser(['explain', 'fp.nonsense'])).stderr).toMatch(/FailoverPolicy has no field spec\.nonsense/);
  });
});
