/** `hawser proxy run`: one Envoy, from its bootstrap to its drained end. */
import { readFileSync, writeFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join, resolve } from 'node:path';
import { PORTS } from '@hawser/model/ports.ts';
import { WORKLOAD_GROUP_LABEL } from '@hawser/model/workload-group.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import { envoyBinary } from '@hawser/runtime/binaries.ts';
import { privateFolder } from '@hawser/runtime/durable-file.ts';
import { type AgentLocation, readAgentCa } from './agent-location.ts';
import { writeAgentCa } from './agent-tls.ts';
import { adminAddressOf, type BootstrapOptions, envoyBootstrap } from './bootstrap.ts';
import { type BoundProcess, startBound } from './bound-process.ts';
import { drain, tellAgentOfDrain } from './drain.ts';
import { type EnvoyAdmin, envoyAdmin } from './envoy-admin.ts';
import { type FollowedFile, followFile } from './secret-file.ts';
import { writeTokenSecret } from './token-secret.ts';

/** What `proxy run` was asked for. */
export interface ProxyRunOptions {
  readonly proxy: Omit<BootstrapOptions, 'agent' | 'agentCa' | 'agentCaFile' | 'token'>;
  readonly agent: AgentLocation;
  readonly tokenFile: string;
  readonly stateDir: string;
  /** Longest wait for requests in progress, milliseconds. */
  readonly drainMs: number;
  /** Envoy's worker threads. */
  readonly concurrency: number;
  /** Whether commands that the probe of its WorkloadGroup names may be run. */
  readonly execProbe: boolean;
}

/** Least time between asking clients to leave and stopping. */
const MINIMUM_DRAIN_MS = 1000;
/** Envoy has this long to end by itself. */
const STOP_MS = 5000;

/** Runs Envoy until it ends or a signal asks for it; resolves with Envoy's exit code. It is never restarted here: that is the supervisor's part. */
export async function runProxy(options: ProxyRunOptions): Promise<number> {
  const { proxy } = options;
  const token = { current: readToken(options.tokenFile) };
  const say = (text: string): void => void process.stderr.write(`hawser proxy ${proxy.cluster}/${proxy.name}: ${text}\n`);
  const { config, secret, agentCa } = writeBootstrap(options, token.current);
  const names = await answerNames(proxy, say);
  const envoy = startBound(envoyBinary(), envoyArguments(options, config));
  const admin = envoyAdmin({ address: adminAddressOf(proxy), port: PORTS.envoyAdmin });
  const over = new AbortController();
  const exited = envoy.exited.finally(() => {
    over.abort();
    return names?.stop();
  });
  say(`Envoy runs with pid ${envoy.pid}, admin ${adminAddressOf(proxy)} port ${PORTS.envoyAdmin}, agent ${options.agent.xds}`);
  // Proxies seldom end by themselves, and only an end would write the cache of stripped types for the next one.
  flushCompileCache();
  void sayWhenReady(admin, say, over.signal);
  stopOnSignal(envoy, over, async () => {
    const { cluster, name, namespace, address } = proxy;
    const tellAgent = (): Promise<number> => tellAgentOfDrain(options.agent.admin, token.current, { cluster, name, namespace, address });
    const forOthers = proxy.outboundGateway === true;
    await drain({ envoy: admin, tellAgent, minimumMs: MINIMUM_DRAIN_MS, maximumMs: options.drainMs, forOthers, say, signal: over.signal });
  });
  const onRenewed = (next: string): void => {
    writeTokenSecret(secret, next);
    token.current = next;
  };
  const following = { say, signal: over.signal };
  void followFile({ ...following, what: 'token', read: () => readToken(options.tokenFile), onRenewed }, token.current);
  followAgentCa(options.agent, agentCa, following);
  await watchWorkload(options, { token: () => token.current, say, signal: over.signal });
  return exited;
}

/** Of a member of a WorkloadGroup; others do not carry the code. */
async function watchWorkload(
  { proxy, agent, execProbe }: ProxyRunOptions,
  running: { readonly token: () => string; readonly say: (text: string) => void; readonly signal: AbortSignal },
): Promise<void> {
  const group = proxy.labels?.[WORKLOAD_GROUP_LABEL];
  if (group === undefined) return;
  const { startWorkloadProbe } = await import('./probe/workload-probe.ts');
  const { cluster, name, address } = proxy;
  startWorkloadProbe({ ...running, agent, cluster, allowExec: execProbe, machine: { name, address, group } });
}

/** Loaded for those alone who need it: most sidecars have no workload whose names they answer. */
async function answerNames(
  { capture, outboundGateway, address }: ProxyRunOptions['proxy'],
  say: (text: string) => void,
): Promise<{ stop(): Promise<void> } | undefined> {
  if (capture === undefined && outboundGateway !== true) return undefined;
  const { startNames } = await import('./names/start-names.ts');
  // Whoever reaches an outbound gateway may ask it: for names of the mesh, and not for others in its place.
  if (outboundGateway === true) return startNames({ addresses: [address], forwards: false, capturesIpv6: false, say });
  const isDual = capture === 'dual';
  return startNames({ addresses: isDual ? ['127.0.0.1', '::1'] : ['127.0.0.1'], forwards: true, capturesIpv6: isDual, say });
}

/** One Ctrl-C arrives more than once: from the terminal, and again from each npm or launcher above that passes it on. */
const SAME_SIGNAL_MS = 1000;

/** First signal: drain, then stop. Another, a second later or more: stop now. */
function stopOnSignal(envoy: BoundProcess, over: AbortController, drainAll: () => Promise<void>): void {
  let askedAt: number | undefined;
  const ended = abortedBy(envoy.exited);
  const onSignal = (): void => {
    if (askedAt !== undefined) {
      if (performance.now() - askedAt >= SAME_SIGNAL_MS) over.abort();
      return;
    }
    askedAt = performance.now();
    void drainAll().finally(async () => {
      envoy.kill('SIGTERM');
      await sleep(STOP_MS, ended);
      if (!ended.aborted) envoy.kill('SIGKILL');
    });
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, onSignal);
}

/** Aborts when the promise settles. */
function abortedBy(settled: Promise<unknown>): AbortSignal {
  const aborter = new AbortController();
  const abort = (): void => aborter.abort();
  settled.then(abort, abort);
  return aborter.signal;
}

function envoyArguments(options: ProxyRunOptions, config: string): string[] {
  const { name, cluster } = options.proxy;
  return [
    ...['-c', config, '--concurrency', String(options.concurrency)],
    // Hot restart needs a base id and shared memory per Envoy; without it any number of them share a machine.
    '--disable-hot-restart',
    // Once draining, every answer asks its client to leave, instead of a growing share of them over ten minutes.
    ...['--drain-strategy', 'immediate', '--drain-time-s', String(Math.max(1, Math.ceil(options.drainMs / 1000)))],
    ...['-l', process.env['HAWSER_ENVOY_LOG_LEVEL'] ?? 'warning', '--log-format', `[%Y-%m-%d %T.%e][%l][%n] ${cluster}/${name}: %v`],
  ];
}

/** Kubelets renew a mounted ConfigMap; `proxy token` writes the bundle again beside its token. */
function followAgentCa({ ca, caFile }: AgentLocation, secret: string | undefined, following: Pick<FollowedFile, 'say' | 'signal'>): void {
  if (ca === undefined || caFile === undefined || secret === undefined) return;
  const onRenewed = (bundle: string): void => writeAgentCa(secret, bundle);
  void followFile({ ...following, what: 'trust bundle of the agent', read: () => readAgentCa(caFile), onRenewed }, ca);
}

/** The files that an Envoy is started with. */
interface EnvoyFiles {
  readonly config: string;
  /** Of the token. */
  readonly secret: string;
  /** Of the agent's roots, where they are in a file that may be renewed. */
  readonly agentCa: string | undefined;
}

/** Writes the bootstrap and its secrets below the state folder, readable by their owner alone. */
function writeBootstrap({ proxy, agent, stateDir }: ProxyRunOptions, token: string): EnvoyFiles {
  const folder = privateFolder(join(stateDir, 'proxies', proxy.cluster));
  const path = resolve(folder, `${proxy.name}.${proxy.namespace}`);
  const [config, secret] = [`${path}.json`, `${path}.token.json`];
  const agentCa = agent.caFile === undefined ? undefined : `${path}.agent-ca.json`;
  writeTokenSecret(secret, token);
  if (agentCa !== undefined && agent.ca !== undefined) writeAgentCa(agentCa, agent.ca);
  const known = { agent: agent.xds, agentCa: agent.ca, agentCaFile: agentCa };
  writeFileSync(config, JSON.stringify(envoyBootstrap({ ...proxy, ...known, token: { secretFile: secret } })), { mode: 0o600 });
  return { config, secret, agentCa };
}

/** The token of `hawser proxy token`; throws with the way to get one. */
export function readToken(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new AppError(
      'token-missing',
      `the token file cannot be read: ${messageOf(error)}; make one with: hawser proxy token --out ${path} …`,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(text))
    throw new AppError('token-missing', `${path} holds no token; make one with: hawser proxy token --out ${path} …`);
  return text;
}

async function sayWhenReady(admin: EnvoyAdmin, say: (text: string) => void, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    if (await admin.ready().catch(() => false)) return say('ready');
    if (attempt === 40) say('Envoy has no configuration yet: its agent has not answered; still waiting');
    await sleep(250, signal);
  }
}
