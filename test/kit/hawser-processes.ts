/** Hub and agents as the processes that `hawser` starts, each on ports of its own, with one folder for all their state. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agentFolder } from '@hawser/agent/feed/membership.ts';
import { mintProxyToken } from '@hawser/agent/trust/proxy-tokens.ts';
import { type EnvoyOptions, startEnvoy, type TestEnvoy } from './envoy.ts';
import { freePort } from './ports.ts';

const BIN = join(import.meta.dirname, '../../services/cli/bin/hawser.mjs');
const START_MS = 40_000;
const SCRIPT_MS = 120_000;

/** What a command ended with. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A service that runs. */
export class Running {
  readonly #child: ChildProcess;
  #log = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
      child.emit('said');
    });
  }

  /** Resolves when its log, from `after` on, holds a text; rejects when it ends or 40 s pass before. Returns the log's length then. */
  async says(text: string, after = 0): Promise<number> {
    const signal = AbortSignal.timeout(START_MS);
    while (!this.#log.includes(text, after)) {
      if (this.#child.exitCode !== null) throw new Error(`it ended: ${this.#log}`);
      await once(this.#child, 'said', { signal }).catch(() => {
        throw new Error(`it never said ${JSON.stringify(text)}: ${this.#log.slice(after)}`);
      });
    }
    return this.#log.length;
  }

  /** The log's length now: what it says from here on. */
  get heard(): number {
    return this.#log.length;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Sends a signal and goes on. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal, which one that stands still obeys too, and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(signal);
    this.#child.kill('SIGCONT');
    await once(this.#child, 'exit');
  }
}

/** An agent and its doors. */
export interface RunningAgentProcess {
  readonly xdsPort: number;
  readonly adminPort: number;
  agent: Running;
  /** Starts the agent anew, without a token; resolves when it is ready. */
  startAgain(): Promise<void>;
}

/** An agent, its registry directory, and where its proxies connect. */
export interface RunningCluster extends RunningAgentProcess {
  readonly name: string;
  readonly registryDir: string;
  /** Another agent of this cluster, with the first one's identity and a state of its own; it ends with the others. */
  another(name: string): Promise<RunningAgentProcess>;
  /** Replaces a registry file, by rename. */
  put(file: string, text: string): void;
  /** A real Envoy as the sidecar of `bookinfo/client`, or of another service account, at a loopback address. */
  sidecar(address: string, serviceAccount?: string): Promise<TestEnvoy>;
}

/** A hub and what joined it. */
export class HawserProcesses {
  readonly folder = mkdtempSync(join(tmpdir(), 'hawser-processes-'));
  readonly #running: Running[] = [];
  readonly #envoys: TestEnvoy[] = [];
  hub: Running | undefined;
  /** Further flags of `agent run`, by cluster; set before it joins. With `--kubernetes` among them it has no registry directory. */
  readonly agentFlags = new Map<string, readonly string[]>();
  #hubArguments: readonly string[] = [];
  #url = '';
  #server: NodeJS.ProcessEnv = {};

  /** Where the keys of the hub are, for servers that are to trust it. */
  get keysDir(): string {
    return join(this.folder, '.hawser/hub/keys');
  }

  /** Starts a hub with its own PostgreSQL, and with its own NATS unless given, and these further flags; resolves when it is ready. */
  async startHub(natsUrls?: readonly string[], flags: readonly string[] = []): Promise<void> {
    const [port, postgres, natsPort] = await Promise.all([freePort(), freePort(), freePort()]);
    const nats = natsUrls === undefined ? ['--nats-port', `${natsPort}`] : ['--nats-url', natsUrls.join()];
    this.#hubArguments = ['hub', 'run', '--port', `${port}`, '--postgres-port', `${postgres}`, ...nats, ...flags];
    this.#url = `http://127.0.0.1:${port}`;
    await this.startHubAgain();
  }

  /** Starts a hub that has ended anew, with its state and ports. */
  async startHubAgain(): Promise<void> {
    this.hub = this.start(this.#hubArguments);
    await this.hub.says('hub is ready');
  }

  /** Commands and agents find the hub at this address; `start` has started it. */
  useHub(url: string): void {
    this.#url = url;
    this.#server = { HAWSER_SERVER: url };
  }

  /** The administrator's token of the hub whose state is the folder's own. */
  get adminToken(): string {
    return readFileSync(join(this.folder, '.hawser/admin.token'), 'utf8').trim();
  }

  /** `GET` of the hub's API, as text. */
  async api(path: string): Promise<string> {
    return (await fetch(this.#url + path, { headers: { authorization: `Bearer ${this.adminToken}` } })).text();
  }

  /** Any request to the hub's API with a JSON body; the status and what was answered. */
  async ask<T>(method: string, path: string, body?: object): Promise<{ readonly status: number; readonly body: T }> {
    const headers = { authorization: `Bearer ${this.adminToken}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const answer = await fetch(this.#url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    return { status: answer.status, body: (await answer.json()) as T };
  }

  /** Runs a command to its end, or until its output is enough; by whom the token is, where one is given. */
  async run(
    args: readonly string[],
    options: {
      readonly input?: string;
      readonly stateDir?: string;
      readonly token?: string;
      readonly isEnough?: (stdout: string) => boolean;
    } = {},
  ): Promise<Ended> {
    const who = options.token === undefined ? {} : { HAWSER_SERVER: this.#url, HAWSER_TOKEN: options.token };
    const child = spawn(process.execPath, [BIN, ...args], { cwd: this.folder, env: { ...this.#environment(options.stateDir), ...who } });
    const texts = { stdout: '', stderr: '' };
    let isInterrupted = false;
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        texts[name] += text;
        // Once: what is interrupted twice ends at once.
        if (!isInterrupted && options.isEnough?.(texts.stdout) === true) isInterrupted = child.kill('SIGINT');
      });
    child.stdin.end(options.input ?? '');
    const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
    const [status] = (await once(child, 'close')) as [number | null];
    clearTimeout(timer);
    return { status, ...texts };
  }

  /** Runs a script in the folder, where `npx hawser` is this command line; all that it printed, in its order. */
  async shell(script: string): Promise<{ readonly status: number | null; readonly output: string }> {
    const npx = `exec 2>&1\nnpx() { shift; '${process.execPath}' '${BIN}' "$@"; }\n`;
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
    const child = spawn('bash', ['-euc', npx + script], { cwd: this.folder, env: this.#environment(), stdio, detached: true });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    const timer = setTimeout(() => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL'), SCRIPT_MS);
    const [status] = (await once(child, 'close')) as [number | null];
    clearTimeout(timer);
    return { status, output };
  }

  /** A join token, as `hawser cluster join` prints it. */
  async token(cluster: string, ttl = '5m', flags: readonly string[] = []): Promise<string> {
    const { status, stdout, stderr } = await this.run(['cluster', 'join', cluster, '--region', cluster, '--ttl', ttl, ...flags]);
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  }

  /** Joins a cluster with these registry files and flags of `cluster join`; resolves when its agent is ready. */
  async join(
    name: string,
    files: Readonly<Record<string, string>>,
    joinFlags: readonly string[] = [],
  ): Promise<RunningCluster & { readonly token: string }> {
    const registryDir = join(this.folder, 'registry', name);
    mkdirSync(registryDir, { recursive: true });
    const [xdsPort, adminPort, token] = await Promise.all([freePort(), freePort(), this.token(name, '5m', joinFlags)]);
    const doors = ['--xds-port', `${xdsPort}`, '--admin-port', `${adminPort}`];
    const own = this.agentFlags.get(name) ?? [];
    const source = own.includes('--kubernetes') ? [] : ['--registry-dir', registryDir];
    const flags = [...source, ...doors, '--cluster', name, ...own];
    const put = (file: string, text: string): void => {
      writeFileSync(join(registryDir, `.${file}`), text);
      renameSync(join(registryDir, `.${file}`), join(registryDir, file));
    };
    for (const [file, text] of Object.entries(files)) put(file, text);
    const run = async (more: readonly string[]): Promise<Running> => {
      const agent = this.start(['agent', 'run', ...flags, ...more]);
      await untilReady(`http://127.0.0.1:${adminPort}/readyz`);
      return agent;
    };
    const cluster = {
      ...{ name, registryDir, xdsPort, adminPort, token, put },
      another: (replica: string) => this.#another(replica, { name, registryDir }),
      agent: await run(['--token', token]),
      startAgain: async () => {
        cluster.agent = await run([]);
      },
      sidecar: (address: string, serviceAccount = 'client') => this.#sidecar({ cluster: name, xdsPort, serviceAccount }, address),
    };
    return cluster;
  }

  /** Ends everything and removes its state. */
  async stop(): Promise<void> {
    await Promise.all(this.#envoys.map((envoy) => envoy.stop()));
    await Promise.all(this.#running.map((one) => one.end('SIGTERM')));
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #another(replica: string, { name, registryDir }: Pick<RunningCluster, 'name' | 'registryDir'>): Promise<RunningAgentProcess> {
    const [xdsPort, adminPort] = await Promise.all([freePort(), freePort()]);
    const shared = agentFolder(join(this.folder, '.hawser'), name);
    const folders = ['--registry-dir', registryDir, '--identity-dir', shared, '--state-dir', join(this.folder, replica)];
    const run = async (): Promise<Running> => {
      const agent = this.start(['agent', 'run', ...folders, '--xds-port', `${xdsPort}`, '--admin-port', `${adminPort}`]);
      await untilReady(`http://127.0.0.1:${adminPort}/readyz`);
      return agent;
    };
    const one = {
      ...{ xdsPort, adminPort, agent: await run() },
      startAgain: async () => {
        one.agent = await run();
      },
    };
    return one;
  }

  /** `hawser proxy run` of a workload of `bookinfo` at a loopback address, with these agents. */
  proxy(
    cluster: string,
    workload: {
      readonly serviceAccount: string;
      readonly address: string;
      readonly agents: readonly string[];
      /** The account's unless given. */
      readonly name?: string;
      readonly flags?: readonly string[];
    },
  ): Promise<Running> {
    const { serviceAccount, name = serviceAccount, ...place } = workload;
    return this.#proxy(['--cluster', cluster, '--namespace', 'bookinfo', '--service-account', serviceAccount], { name, ...place });
  }

  /** `hawser proxy run --gateway` of a cluster, whose agent tells others of it by its own `--gateway`. */
  gateway(cluster: string, place: { readonly address: string; readonly agents: readonly string[] }): Promise<Running> {
    return this.#proxy(['--cluster', cluster, '--gateway'], { name: `${cluster}-gateway`, ...place });
  }

  async #proxy(
    who: readonly string[],
    place: {
      readonly name: string;
      readonly address: string;
      readonly agents: readonly string[];
      readonly flags?: readonly string[];
    },
  ): Promise<Running> {
    const { name, address, agents, flags = [] } = place;
    const file = join(this.folder, `${name}.token`);
    const made = await this.run(['proxy', 'token', ...who, '--out', file]);
    if (made.status !== 0) throw new Error(made.stderr);
    const where = ['--name', name, '--address', address, '--token-file', file, '--agent', agents.join()];
    const proxy = this.start(['proxy', 'run', ...who, ...where, ...flags]);
    await proxy.says('ready');
    return proxy;
  }

  async #sidecar({ xdsPort, ...who }: { cluster: string; xdsPort: number; serviceAccount: string }, address: string): Promise<TestEnvoy> {
    const { cluster } = who;
    const identity = { namespace: 'bookinfo', ...who };
    const token = await mintProxyToken({ agentDir: agentFolder(join(this.folder, '.hawser'), cluster), ...identity });
    const name = `client-${address.replaceAll('.', '-')}`;
    const options: EnvoyOptions = { xdsPort, token, address, node: { ...identity, role: 'sidecar', name, address } };
    const envoy = await startEnvoy(options);
    this.#envoys.push(envoy);
    return envoy;
  }

  /** Starts a service that runs until it is ended, at the latest with the others. */
  start(args: readonly string[]): Running {
    const stdio: ['ignore', 'ignore', 'pipe'] = ['ignore', 'ignore', 'pipe'];
    const running = new Running(spawn(process.execPath, [BIN, ...args], { cwd: this.folder, env: this.#environment(), stdio }));
    this.#running.push(running);
    return running;
  }

  /** No hub but the one of the folder's own state. */
  #environment(stateDir = '.hawser'): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('HAWSER_') || name.endsWith('_BIN'));
    return { ...Object.fromEntries(inherited), ...this.#server, HAWSER_STATE_DIR: join(this.folder, stateDir) };
  }
}

/** Versions of the listeners, routes, clusters and endpoints that an Envoy was given, sorted. */
export async function versionsIn(envoy: TestEnvoy): Promise<string[]> {
  const { configs } = JSON.parse(await envoy.configDump()) as { configs: readonly { readonly '@type': string }[] };
  const shared = configs.filter((config) => !config['@type'].endsWith('SecretsConfigDump'));
  return [...JSON.stringify(shared).matchAll(/"version_info":"([^"]+)"/g)].map(([, version = '']) => version).sort();
}

/** What an Envoy counts when it is ever given something empty, something broken, or less than before: counter → value, those above 0. */
export async function damageOf(envoy: Pick<TestEnvoy, 'admin'>): Promise<Record<string, number>> {
  const stats = await envoy.admin('/stats?filter=(update_empty|update_rejected|cluster_removed|listener_removed)$');
  if (!stats.includes('update_empty: ')) throw new Error(`Envoy counts no empty updates: ${stats}`);
  return Object.fromEntries(stats.split('\n').flatMap((line) => (/: [1-9]/.test(line) ? [line.split(': ')] : [])));
}

/** Polls until the door says that it is ready; fails after 40 s. */
export async function untilReady(url: string): Promise<void> {
  for (const end = Date.now() + START_MS; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 20))) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    await answer?.arrayBuffer().catch(() => undefined);
    if (answer?.ok === true) return;
  }
  throw new Error(`${url} is not ready after ${START_MS / 1000} s`);
}
