/** A hub as a process of its own, and a fake cluster that joins it, for feature tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bus, connectBus } from '@hawser/bus/bus.ts';
import { createUserKey, hubCredentials } from '@hawser/bus/nats-accounts.ts';
import { listStream } from '@hawser/bus/ordered-consumer.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import { decodeJoinToken, enrollProof, type JoinTokenPayload, type Membership } from '@hawser/wire/enrolment.ts';
import { generateSigner, type Signer, sign } from '@hawser/wire/signing.ts';
import { CONFIG_STREAM, inboxPrefix } from '@hawser/wire/subjects.ts';
import pino from 'pino';
import { freePort } from '../../../test/kit/ports.ts';
import { loadHubKeys } from './bus/hub-keys.ts';
import type { HubProcesses } from './process-records.ts';

/** Silent, for everything that a test starts. */
export const silent = pino({ level: 'silent' });

const MAIN = join(import.meta.dirname, 'main.ts');
const START_DEADLINE_MS = 40_000;

/** One hub on one state folder, which can be stopped, killed and started again on the same ports. */
export class HubProcess {
  readonly #stateDir: string;
  readonly #flags: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  output = '';

  private constructor(stateDir: string, flags: Readonly<Record<string, string>>) {
    this.#stateDir = stateDir;
    this.#flags = { stateDir, ...flags };
  }

  /** Starts one on free ports. */
  static async start(stateDir: string, flags: Readonly<Record<string, string>> = {}): Promise<HubProcess> {
    const [port, postgresPort, natsPort] = (await Promise.all([freePort(), freePort(), freePort()])).map(String) as [
      string,
      string,
      string,
    ];
    const hub = new HubProcess(stateDir, { port, postgresPort, natsPort, ...flags });
    await hub.start();
    return hub;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#flags['port']}`;
  }

  get #processesFile(): string {
    return join(this.#stateDir, 'hub', 'processes.json');
  }

  get processes(): HubProcesses {
    return JSON.parse(readFileSync(this.#processesFile, 'utf8')) as HubProcesses;
  }

  /** Resolves when the API answers and `processes` tells of this life. */
  async start(): Promise<void> {
    const script = `import(${JSON.stringify(MAIN)}).then((main) => main.runHub(${JSON.stringify(this.#flags)})).catch((error) => { console.error(error); process.exit(1); })`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    this.#child = child;
    for (const end = Date.now() + START_DEADLINE_MS; Date.now() < end; await sleep(50)) {
      if (child.exitCode !== null) throw new Error(`the hub ended: ${this.output}`);
      if ((await this.#answers()) && this.#recordedPid() === child.pid) return;
    }
    throw new Error(`the hub did not start: ${this.output}`);
  }

  async #answers(): Promise<boolean> {
    return await fetch(`${this.url}/livez`, { signal: AbortSignal.timeout(1000) }).then(
      (answer) => answer.ok,
      () => false,
    );
  }

  #recordedPid(): number | undefined {
    return existsSync(this.#processesFile) ? this.processes.hub.pid : undefined;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  /** Of the administrator's requests with a body. */
  get headers(): { readonly authorization: string; readonly 'content-type': string } {
    const token = readFileSync(join(this.#stateDir, 'admin.token'), 'utf8').trim();
    return { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  }

  /** Calls the API with the administrator's token; answers the status too. */
  async call<T>(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: T }> {
    const { authorization } = this.headers;
    const headers = body === undefined ? { authorization } : this.headers;
    const answer = await fetch(this.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    return { status: answer.status, body: (await answer.json()) as T };
  }

  /** A metric's value, 0 when it is not there. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  /** What the stream of documents holds: subject → sequence and hash of the stored bytes. */
  async stored(): Promise<Map<string, { readonly sequence: number; readonly hash: string }>> {
    const { operator } = await loadHubKeys(this.#flags['keysDir'] ?? join(this.#stateDir, 'hub', 'keys'));
    const urls = [`nats://127.0.0.1:${this.#flags['natsPort']}`];
    const bus = await connectBus({ urls, name: 'test', credentials: await hubCredentials(operator), log: silent });
    try {
      await bus.ready();
      const listed = await listStream({ bus, stream: CONFIG_STREAM, filter: 'hawser.config.*.>', log: silent, timeoutMs: 10_000 });
      return new Map((listed?.messages ?? []).map(({ subject, sequence, bytes }) => [subject, { sequence, hash: sha256(bytes) }]));
    } finally {
      await bus.close();
    }
  }
}

/** A cluster that has joined: what its agent would have. */
export interface FakeCluster {
  readonly membership: Membership;
  readonly signer: Signer;
  readonly bus: Bus;
}

async function makeToken(hub: HubProcess, cluster: string, region = cluster): Promise<JoinTokenPayload> {
  const made = await hub.call<Resource<unknown, { token: string }>>('POST', '/apis/hawser.dev/v1alpha1/jointokens', {
    apiVersion: 'hawser.dev/v1alpha1',
    kind: 'JoinToken',
    metadata: { name: `${cluster}-${Date.now()}` },
    spec: { cluster, region, ttl: '5m' },
  });
  return decodeJoinToken(made.body.status?.token ?? '') as JoinTokenPayload;
}

function enrolmentOf({ secret, cluster }: JoinTokenPayload) {
  const signer = generateSigner();
  const user = createUserKey();
  const request = { cluster, secret, signingKey: signer.publicKey, natsUser: user.publicKey };
  return { signer, user, body: { ...request, proof: Buffer.from(sign(enrollProof(request), signer)).toString('base64url') } };
}

/** One token, used so many times at once, by turns at these hubs; answers what they said. */
export async function joinAtOnce(hubs: readonly HubProcess[], cluster: string, times: number): Promise<number[]> {
  const token = await makeToken(hubs[0] as HubProcess, cluster);
  const bodies = Array.from({ length: times }, () => enrolmentOf(token).body);
  const answers = bodies.map((body, index) => hubs[index % hubs.length]?.call('POST', '/join/v1/enroll', body));
  return (await Promise.all(answers)).map((answer) => answer?.status ?? 0);
}

/** Joins a cluster by token, as its agent does; the connection to NATS follows. */
export async function joinCluster(hub: HubProcess, cluster: string, region = cluster): Promise<FakeCluster> {
  const { signer, user, body: request } = enrolmentOf(await makeToken(hub, cluster, region));
  const { status, body } = await hub.call<Membership>('POST', '/join/v1/enroll', request);
  if (status !== 200) throw new Error(`enrolment: ${status} ${JSON.stringify(body)}`);
  const credentials = { jwt: body.natsJwt, seed: user.seed };
  const bus = await connectBus({ urls: body.natsUrls, name: cluster, credentials, inboxPrefix: inboxPrefix(cluster), log: silent });
  return { membership: body, signer, bus };
}
