/** Network namespaces on one bridge: machines of their own for workloads whose traffic is captured. Wants root, `ip` and iptables. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What a program said. */
export interface Ran {
  readonly code: number;
  readonly out: string;
}

/** One namespace with an address on the bridge, and a `resolv.conf` of its own. */
export interface Namespace {
  readonly name: string;
  readonly address: string;
  /** Runs a program there, as `nobody` unless told otherwise; at most 20 s. */
  run(command: readonly string[], as?: 'root' | 'nobody'): Promise<Ran>;
  /** Starts a program there as root, which ends with the test; gives what it has said so far. */
  start(command: readonly string[], env?: NodeJS.ProcessEnv): () => string;
}

/** The bridge, and the namespaces on it. */
export class Network {
  readonly #id: string;
  readonly #bridge: string;
  readonly #names: string[] = [];
  readonly #links: string[] = [];
  readonly #children: ChildProcess[] = [];

  readonly #gateway: string;

  private constructor(gateway: string) {
    this.#gateway = gateway;
    this.#id = `hw${process.pid}`;
    this.#bridge = this.#id.slice(0, 15);
  }

  /** A bridge with these addresses of one /16 on this side, the first of which is the way out for namespaces; a net of each test file's own. */
  static async create(addresses: readonly [string, ...string[]]): Promise<Network> {
    await removeStale();
    const network = new Network(addresses[0]);
    // An address of its own: that of its newest member would make everybody's neighbours wrong.
    await run('ip', ['link', 'add', network.#bridge, 'address', '02:00:0a:4e:00:01', 'type', 'bridge']);
    for (const address of addresses) await run('ip', ['addr', 'add', `${address}/16`, 'dev', network.#bridge]);
    await run('ip', ['link', 'set', network.#bridge, 'up']);
    return network;
  }

  async namespace(short: string, address: string, resolvConf: string): Promise<Namespace> {
    const name = `${this.#id}${short}`;
    const outer = `${this.#id.slice(0, 11)}${short}`;
    this.#names.push(name);
    this.#links.push(outer);
    mkdirSync(join('/etc/netns', name), { recursive: true });
    writeFileSync(join('/etc/netns', name, 'resolv.conf'), resolvConf);
    const inside = (...args: readonly string[]): Promise<unknown> => run('ip', ['-n', name, ...args]);
    await run('ip', ['netns', 'add', name]);
    await run('ip', ['link', 'add', outer, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name]);
    await run('ip', ['link', 'set', outer, 'master', this.#bridge, 'up']);
    await inside('addr', 'add', `${address}/16`, 'dev', 'eth0');
    await inside('link', 'set', 'eth0', 'up');
    await inside('link', 'set', 'lo', 'up');
    await inside('route', 'add', 'default', 'via', this.#gateway);
    const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--'];
    return {
      ...{ name, address },
      run: (command, as = 'nobody') => finished(['ip', 'netns', 'exec', name, ...(as === 'nobody' ? nobody : []), ...command]),
      start: (command, env = {}) => {
        const child = spawn('ip', ['netns', 'exec', name, ...command], {
          env: { ...process.env, ...env },
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        this.#children.push(child);
        let said = '';
        for (const stream of [child.stdout, child.stderr])
          stream.on('data', (part: Buffer) => {
            said = `${said}${part}`.slice(-10_000);
          });
        return () => said;
      },
    };
  }

  async remove(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const name of this.#names) await removeNamespace(name);
    // A namespace may linger in the kernel a while, and its end of the cable with it.
    for (const link of this.#links) await run('ip', ['link', 'del', link]).catch(() => undefined);
    await run('ip', ['link', 'del', this.#bridge]).catch(() => undefined);
  }
}

async function removeNamespace(name: string): Promise<void> {
  const pids = await run('ip', ['netns', 'pids', name]).then(
    ({ stdout }) => stdout.split('\n').map(Number),
    () => [],
  );
  for (const pid of pids.filter((one) => one > 1)) kill(pid);
  await run('ip', ['netns', 'del', name]).catch(() => undefined);
  rmSync(join('/etc/netns', name), { recursive: true, force: true });
}

/** A test run that was killed leaves namespaces behind, with its addresses in them. */
async function removeStale(): Promise<void> {
  const { stdout } = await run('ip', ['netns', 'list']);
  const names = stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
  const stale = names.filter((name) => /^hw\d+[a-z]$/.test(name) && !existsSync(`/proc/${name.slice(2, -1)}`));
  for (const name of stale) {
    await removeNamespace(name);
    await run('ip', ['link', 'del', name.slice(0, -1)]).catch(() => undefined);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function finished([program = '', ...args]: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 20_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, out: `${stdout}${code === 0 ? '' : stderr}` });
    });
  });
}
