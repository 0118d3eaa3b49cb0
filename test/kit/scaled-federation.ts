/** Everything more than once: three hubs behind one address, three NATS servers, two agents of one cluster and one of another. */
import { setTimeout as wait } from 'node:timers/promises';
import { loadHubKeys } from '@hawser/hub/bus/hub-keys.ts';
import { type App, startApp } from '../datapath/kit/app.ts';
import { call, type Stream, stream, type Tally } from '../datapath/kit/load.ts';
import { AgentObserver, addressesOf, type PolicyLog } from './agent-observer.ts';
import { serviceFile } from './federation.ts';
import { damageOf, HawserProcesses, type RunningAgentProcess, type RunningCluster } from './hawser-processes.ts';
import { HistoryChecker } from './history-checker.ts';
import { HubReplicas } from './hub-replicas.ts';
import { type NatsCluster, startNatsCluster } from './nats-cluster.ts';
import { PolicyWriter } from './policy-writer.ts';
import { startTestPostgres, type TestPostgres } from './postgres.ts';
import { eventually } from './served.ts';
import { StreamWatch } from './stream-watch.ts';

const EAST = 'us-east';
const WEST = 'us-west';
const [CLIENT, SERVER] = ['127.87.7.11', '127.87.7.21'] as const;
const HOST = 'reviews.bookinfo.svc.clusterset.local';
const GETS_PER_SECOND = 50;
const CHURN_MS = 250;
const POLICIES = { kept: ['reviews', 'details'], passing: ['passing-1', 'passing-2'] } as const;

/** What came of it; all but the sums must be 0 or empty. */
export interface Verdict {
  readonly gets: Tally;
  readonly writer: PolicyWriter;
  readonly lostWrites: readonly string[];
  readonly history: HistoryChecker;
  readonly staleStored: readonly string[];
}

/** The servers, the processes, and what is done to them all the time. */
export class ScaledFederation {
  readonly hawser = new HawserProcesses();
  readonly #churned = new Map<string, string[]>();
  readonly #stops: (() => Promise<unknown>)[] = [() => this.hawser.stop()];
  readonly #churning = new AbortController();
  #churn: Promise<void> | undefined;
  #postgres: TestPostgres | undefined;
  #gets: Stream | undefined;
  nats!: NatsCluster;
  hubs!: HubReplicas;
  streams!: StreamWatch;
  east!: RunningCluster;
  second!: RunningAgentProcess;
  west!: RunningCluster;
  writer!: PolicyWriter;
  observers!: { readonly first: AgentObserver; readonly second: AgentObserver; readonly west: AgentObserver };

  /** Starts everything; resolves when requests go from one cluster to the other. */
  async start(): Promise<void> {
    await this.#startServers();
    await this.#startAgents();
    const app: App = await startApp('reviews', SERVER);
    this.#stops.push(() => app.crash());
    const { east, second, west } = this;
    const at = ({ xdsPort }: RunningAgentProcess): string => `127.0.0.1:${xdsPort}`;
    await Promise.all([
      this.hawser.proxy(EAST, { serviceAccount: 'client', address: CLIENT, agents: [at(east), at(second)] }),
      this.hawser.proxy(WEST, { serviceAccount: 'default', address: SERVER, agents: [at(west)] }),
    ]);
    await eventually(async () => (await call({ via: CLIENT, host: HOST })).status === 200, 'no request goes through');
  }

  /** Requests, writes and changes of endpoints begin. */
  stir(): void {
    this.#gets = stream({ via: CLIENT, host: HOST }, GETS_PER_SECOND);
    this.writer.start();
    this.#churn = this.#churnUntilStopped();
  }

  /** Whether an agent says that it publishes. */
  async publishes({ adminPort }: RunningAgentProcess): Promise<boolean> {
    const metrics = await fetch(`http://127.0.0.1:${adminPort}/metrics`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    return /^agent_publisher 1$/m.test((await metrics?.text().catch(() => '')) ?? '');
  }

  /** Resolves when a write that is acknowledged after now, and a change of endpoints in either cluster made after now, are everywhere. */
  async passes(): Promise<void> {
    const acked = this.writer.acked;
    await eventually(() => this.writer.acked > acked, 'no write is acknowledged any more');
    const revision = this.writer.writes.findLast(({ outcome }) => outcome === 'acked')?.revision ?? 0;
    const [fromEast, fromWest] = [this.#churned.get(EAST)?.length ?? 0, this.#churned.get(WEST)?.length ?? 0];
    await eventually(() => this.#has(this.observers.first, { revision, owner: WEST, changes: fromWest }), 'the first agent is behind');
    await eventually(() => this.#has(this.observers.second, { revision, owner: WEST, changes: fromWest }), 'the second agent is behind');
    await eventually(() => this.#has(this.observers.west, { revision, owner: EAST, changes: fromEast }), 'the other cluster is behind');
  }

  /** Ends requests, writes and changes; waits until all agents have the last of everything, and judges all that was seen. */
  async finish(): Promise<Verdict> {
    this.#churning.abort();
    await this.#churn;
    await this.writer.stop();
    const logs = new Map<string, PolicyLog>();
    for (const name of [...POLICIES.kept, ...POLICIES.passing]) logs.set(name, await this.writer.history(name));
    const revision = Math.max(...[...logs.values()].flat().map((entry) => entry.revision));
    const all = Object.values(this.observers);
    for (const observer of all)
      await eventually(async () => (await observer.observe())?.moments.get('hub')?.revision === revision, `${observer.name} is behind`);
    for (const [observer, owner] of [
      [this.observers.first, WEST],
      [this.observers.second, WEST],
      [this.observers.west, EAST],
    ] as const)
      await eventually(
        () => this.#has(observer, { revision, owner, changes: this.#churned.get(owner)?.length ?? 0 }),
        `${observer.name} is behind`,
      );
    const gets = await (this.#gets as Stream).stop();
    const history = new HistoryChecker();
    for (const [name, log] of logs) for (const { timeout } of log) history.commit('hub', name, timeout);
    for (const [owner, contents] of this.#churned) for (const content of contents) history.commit(owner, serviceOf(owner), content);
    history.commit(WEST, 'bookinfo/reviews', SERVER);
    for (const observer of all) {
      await observer.stop();
      observer.judge(history, logs);
    }
    for (const address of [CLIENT, SERVER]) await this.#findDamage(history, address);
    return { gets, history, writer: this.writer, lostWrites: lostOf(this.writer, logs), staleStored: this.streams.stale() };
  }

  async stop(): Promise<void> {
    this.#churning.abort();
    await Promise.allSettled([this.#churn, this.writer?.stop(), this.#gets?.stop()]);
    for (const stop of this.#stops.reverse()) await stop();
  }

  async #startServers(): Promise<void> {
    const { operator } = await loadHubKeys(this.hawser.keysDir);
    [this.#postgres, this.nats] = await Promise.all([startTestPostgres(), startNatsCluster(operator)]);
    const { nats } = this;
    const postgres = this.#postgres;
    this.#stops.unshift(() => Promise.all([postgres.stop(), nats.stop()]));
    const databaseUrl = await postgres.database({ migrated: false });
    this.hubs = await HubReplicas.start(this.hawser, 3, { databaseUrl, natsUrls: nats.urls });
    this.#stops.push(() => this.hubs.stop());
    this.streams = await StreamWatch.open(this.hawser.keysDir, nats.urls);
    this.#stops.push(() => this.streams.close());
    await this.streams.untilWhole();
    this.writer = new PolicyWriter({ url: this.hubs.url, token: this.hawser.adminToken, ...POLICIES });
  }

  async #startAgents(): Promise<void> {
    const flat = ['--network', 'flat'];
    const reviews = { 'reviews.yaml': serviceFile('reviews', [SERVER]) };
    [this.east, this.west] = await Promise.all([this.hawser.join(EAST, {}, flat), this.hawser.join(WEST, reviews, flat)]);
    this.#change(EAST, 0);
    this.#change(WEST, 0);
    await eventually(() => this.publishes(this.east), 'nobody publishes for us-east');
    this.second = await this.east.another('second');
    this.observers = {
      first: new AgentObserver(EAST, 'first', this.east.adminPort),
      second: new AgentObserver(EAST, 'second', this.second.adminPort),
      west: new AgentObserver(WEST, 'only', this.west.adminPort),
    };
    this.#stops.push(() => Promise.all(Object.values(this.observers).map((observer) => observer.stop())));
  }

  /** A service has addresses that stay, of which a change leaves most, and one that no other moment has. */
  #change(cluster: string, count: number): void {
    const [place, service] = cluster === EAST ? [90, 'details'] : [91, 'ratings'];
    const staying = [1, 2, 3, 4, 5].map((last) => `127.${place}.255.${last}`);
    const addresses = [...staying, `127.${place}.${count >> 8}.${count & 255}`];
    this.#churned.set(cluster, [...(this.#churned.get(cluster) ?? []), addressesOf(addresses)]);
    (cluster === EAST ? this.east : this.west).put(`${service}.yaml`, serviceFile(service, addresses));
  }

  async #churnUntilStopped(): Promise<void> {
    const { signal } = this.#churning;
    for (let count = 1; !signal.aborted; count += 1) {
      this.#change(count % 2 === 0 ? EAST : WEST, count);
      await wait(CHURN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #has(observer: AgentObserver, wanted: { revision: number; owner: string; changes: number }): Promise<boolean> {
    const seen = await observer.observe();
    const content = seen?.held.get(wanted.owner)?.get(serviceOf(wanted.owner)) ?? '';
    const place = this.#churned.get(wanted.owner)?.indexOf(content) ?? -1;
    return (seen?.moments.get('hub')?.revision ?? 0) >= wanted.revision && place >= wanted.changes - 1;
  }

  async #findDamage(history: HistoryChecker, address: string): Promise<void> {
    const admin = async (path: string): Promise<string> => (await fetch(`http://${address}:15000${path}`)).text();
    for (const [counter, times] of Object.entries(await damageOf({ admin }))) history.emptied(`Envoy ${address}`, `${counter}: ${times}`);
  }
}

function serviceOf(cluster: string): string {
  return `bookinfo/${cluster === EAST ? 'details' : 'ratings'}`;
}

/** Acknowledged writes that the database does not remember as they were acknowledged, and what it remembers that nobody wrote. */
function lostOf(writer: PolicyWriter, logs: ReadonlyMap<string, PolicyLog>): string[] {
  const lost = writer.writes
    .filter(({ outcome, name, revision, timeout }) => {
      const entry = logs.get(name)?.find((one) => one.revision === revision);
      return outcome === 'acked' && (entry === undefined || entry.timeout !== timeout);
    })
    .map(({ name, revision, timeout }) => `${name} ${timeout} at ${revision}`);
  const tried = new Set(writer.writes.map(({ name, timeout }) => `${name} ${timeout}`));
  const forged = [...logs].flatMap(([name, log]) =>
    log.filter(({ timeout }) => !tried.has(`${name} ${timeout}`)).map((one) => `${name} ${one.timeout} of nobody`),
  );
  return [...lost, ...forged];
}
