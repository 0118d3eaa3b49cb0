/** An agent put together: what it knows, compiles and serves, with or without a bus; what needs one is its `BusSide`. */
import type { Bus } from '@hawser/bus/bus.ts';
import { countReconnects } from '@hawser/bus/count-reconnects.ts';
import type { ClusterFacts } from '@hawser/model/fleet.ts';
import { createRegistry, type Registry } from '@hawser/runtime/metrics.ts';
import type { AgentStatus, Validity } from '@hawser/wire/messages.ts';
import { startAdminServer } from './admin/admin-server.ts';
import type { AgentOptions, RunningAgent } from './agent-options.ts';
import { BusSide } from './bus-side.ts';
import { ControlLoop } from './control-loop.ts';
import { LocalSource } from './discover/local-source.ts';
import { DrillLeases } from './drill-leases.ts';
import { type Foundations, openFoundations } from './feed/foundations.ts';
import { joinBus } from './feed/join-bus.ts';
import { LastKnownGood } from './feed/last-known-good.ts';
import { encodedState, localStateOf, type SavedState, savedLocal } from './feed/saved-state.ts';
import { adminToken, LocalDrains } from './local-drain.ts';
import { startIfAsked } from './optional-parts.ts';
import { ProxyRegistry } from './proxy-registry.ts';
import { writeAgentLocation } from './report/agent-location.ts';
import { registerAgentMetrics } from './report/agent-metrics.ts';
import { describeSnapshot, describeWorld, readinessOf } from './report/debug-views.ts';
import { ownFacts } from './report/own-facts.ts';
import { PolicyIssues } from './report/policy-issues.ts';
import { registerTrustMetrics } from './report/trust-metrics.ts';
import { credentialsValidity, endsOf, rootValidity } from './report/validity.ts';
import { Warnings } from './report/warnings.ts';
import { SnapshotStore } from './snapshot/snapshot-store.ts';
import { Federation } from './state/federation.ts';
import { PolicyProbation } from './state/policy-probation.ts';
import { unenforcedPeers } from './translate/access/unenforced-peers.ts';
import { createTranslator, type Translator } from './translate/translator.ts';
import { agentCertificate } from './trust/agent-certificate.ts';
import { followAuthority } from './trust/follow-authority.ts';
import { TrustReport } from './trust/trust-report.ts';
import { WorkloadCertificates } from './trust/workload-certificates.ts';
import { RecentUse } from './upstream-use.ts';
import { type AdsServer, startAdsServer } from './xds/ads-server.ts';

export type { AgentOptions, RunningAgent } from './agent-options.ts';

const VERSION = '0.1.0';
/** Time that the other clusters need to hear of a draining proxy, with a busy machine in mind. */
const SETTLE_MS = 1_000;

/** Starts an agent; resolves when it listens. Hub and bus may be away: it serves what it knew last. */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const agent = new Agent(options, await openFoundations(options.member, options.log, options.config));
  try {
    return await agent.start();
  } catch (error) {
    await agent.stop().catch(() => undefined);
    throw error;
  }
}

class Agent implements RunningAgent {
  xdsPort = 0;
  adminPort = 0;
  readonly store = new SnapshotStore();
  readonly loop: ControlLoop;
  readonly #options: AgentOptions;
  readonly #base: Foundations;
  readonly #registry: Registry = createRegistry('agent');
  readonly #warnings: Warnings;
  readonly #federation: Federation;
  readonly #probation: PolicyProbation;
  readonly #issues: PolicyIssues;
  readonly #local: LocalSource;
  readonly #drains: LocalDrains;
  readonly #drills: DrillLeases;
  readonly #proxies: ProxyRegistry;
  readonly #trust: TrustReport;
  readonly #use: RecentUse;
  readonly #lastGood: LastKnownGood<SavedState>;
  readonly #startedAt = new Date().toISOString();
  readonly #stops: (() => Promise<void> | void)[] = [];
  #validity: readonly [credentials: Validity, root: Validity];
  #stopping = false;
  #busSide: BusSide | undefined;
  #xds: AdsServer | undefined;

  constructor(options: AgentOptions, base: Foundations) {
    const { config, member, log } = options;
    const { cluster, region, zone, trustDomain } = member.membership;
    this.#options = options;
    this.#base = base;
    this.#validity = [credentialsValidity(member.membership), rootValidity(base.authority.trustBundle)];
    this.#warnings = new Warnings(({ place, message }) => log.warn({ place, warning: message }, 'warning'));
    this.#federation = new Federation({ name: cluster, region, zone, trustDomain }, base.saved?.lapsed);
    this.#drains = new LocalDrains({
      ...{ folder: member.agentDir, place: { cluster, region, zone }, log, onDrains: (drains) => this.loop.setLocalDrains(drains) },
      onOwn: () => {
        this.#factsChanged();
        this.#busSide?.replicas.speak();
      },
    });
    this.#federation.setFacts(cluster, this.#facts());
    const { saved } = base;
    this.#drills = new DrillLeases({
      ...{ cluster, saved: saved?.drills ?? [], onLapse: () => this.loop.reconsider(), onChange: () => this.#changed() },
      onPartition: (from) => this.#busSide?.feed.cutOff(from),
    });
    this.#probation = new PolicyProbation(saved === undefined ? undefined : (saved.probation ?? { refused: [], standIns: [] }));
    const translator = options.translator ?? createTranslator(config.virtualRange);
    this.#issues = new PolicyIssues({ probation: this.#probation, rules: () => translator.problems() });
    const onTrust = (): void => this.#busSide?.reporter.changed();
    this.#trust = new TrustReport({ ...base, store: this.store, saved: saved?.proxies ?? [], log, onChange: onTrust });
    this.loop = this.#makeLoop(translator);
    this.#local = new LocalSource({
      cluster,
      openRegistry: base.openRegistry,
      ...{ saved: base.saved === undefined ? undefined : localStateOf(base.saved), gatewayMode: config.gatewayMode },
      gatewaysHaveAll: () =>
        [...(this.#xds?.streams.newest() ?? [])].every(({ proxy, machine }) => proxy.role !== 'gateway' || machine.idle),
      onShards: (shards) => {
        this.loop.setOwnShards(shards);
        this.#busSide?.feed.publish(shards);
      },
      onCredentials: (credentials) => this.loop.setCredentials(credentials),
      onWarnings: (topic, messages) => this.#warnings.standing(topic, messages),
      ...{ checkMs: options.checkMs, now: options.now },
    });
    this.#lastGood = new LastKnownGood({
      ...{ folder: member.agentDir, log, current: () => this.#state(), encode: encodedState },
      onProblem: (problem) => this.#warnings.standing('state', problem === undefined ? [] : [problem]),
    });
    this.#use = new RecentUse({
      ...{ sendsAllUpTo: config.sendAllUpTo, saved: base.saved?.use ?? [], policies: () => this.#federation.policies, now: Date.now },
      onChange: () => this.#changed(),
    });
    this.#proxies = new ProxyRegistry({
      ...{ verify: base.verify, loop: this.loop, local: this.#local, saved: base.saved?.proxies ?? [] },
      policies: () => this.#federation.policies,
      network: () => this.#federation.member(cluster)?.network,
      onChange: () => {
        this.#busSide?.replicas.speak();
        this.#changed();
      },
    });
  }

  get publishes(): boolean {
    return this.#busSide?.feed.publishes ?? false;
  }

  world(): ReturnType<typeof describeWorld> {
    const feed = this.#busSide?.feed;
    const heard = { peers: feed?.peers() ?? [], moments: feed?.moments() ?? new Map() };
    return describeWorld(this.#federation.world(), { ...heard, moment: this.loop.moment, warnings: this.#warnings.list() });
  }

  /** Listens first, so that a taken port is the first thing found; nothing is answered before everything is known. */
  async start(): Promise<RunningAgent> {
    const { saved, authority } = this.#base;
    if (saved?.moment !== undefined) this.loop.resume(saved.moment);
    const server = await this.#startXds();
    await this.#startAdmin();
    await this.#local.start();
    this.#stops.push(() => this.#local.stop());
    const bus = await this.#connect();
    this.#measure(bus, server);
    await this.#startBusSide(bus, server);
    const parts = { ...this.#options, authority, warnings: this.#warnings, registry: this.#registry };
    this.#stops.push(await startIfAsked({ ...parts, publishes: () => this.publishes }));
    await writeAgentLocation(this.#options.member.agentDir, this.#options.config, this);
    this.#options.log.info({ cluster: this.#options.member.membership.cluster, fromDisk: saved !== undefined }, 'agent is up');
    return this;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#proxies.stop();
    this.#drains.stop();
    this.#drills.stop();
    await this.#save();
    for (const stop of this.#stops.reverse()) await stop();
    // What was heard while it stopped was served too: a restart must not go back behind it.
    await this.#save();
  }

  async #save(): Promise<void> {
    if (this.loop.ready) this.#lastGood.changed();
    await this.#lastGood.flush();
  }

  #makeLoop(translator: Translator): ControlLoop {
    return new ControlLoop({
      ...{ federation: this.#federation, translator, store: this.store, probation: this.#probation },
      obeyed: (policies) => this.#drills.obeyed(policies),
      onRevision: (moment, applied) => this.#busSide?.rollouts.trackRevision(moment.epoch, moment.revision, applied),
      onProblems: (problems) => {
        this.#issues.setCompileProblems(problems);
        const messages = problems.map(({ message }) => message);
        this.#warnings.standing('translate', messages);
      },
      onServed: (clusters) => this.#trust.served(clusters),
      onRoster: () => this.#busSide?.feed.rosterChanged(),
      onChange: () => this.#changed(),
    });
  }

  #facts(): ClusterFacts {
    return ownFacts(this.#base.authority, this.#options.config.gateways, this.#drains.own);
  }

  async #startXds(): Promise<AdsServer> {
    const { config, log } = this.#options;
    const { authority } = this.#base;
    const identities = new WorkloadCertificates({ authority, ledger: authority.ledger, log });
    registerTrustMetrics(this.#registry, { authority, identities });
    this.#stops.push(followAuthority({ authority, identities, onBundle: () => this.#bundleChanged(), onChange: () => this.#changed() }));
    const { store } = this;
    const certificate = config.tls ? await agentCertificate(authority, log) : undefined;
    if (certificate !== undefined) this.#stops.push(() => certificate.stop());
    const server = await startAdsServer({
      ...{ address: config.address, port: config.xdsPort, store, gate: this.#proxies, identities, log, registry: this.#registry },
      ...{ certificate, use: this.#use },
    });
    this.#xds = server;
    this.xdsPort = server.port;
    this.#trust.follow(server);
    this.#stops.push(
      () => server.stop(),
      () => this.#trust.stop(),
    );
    server.onChange(() => this.#busSide?.reporter.changed());
    return server;
  }

  #bundleChanged(): void {
    this.#validity = [this.#validity[0], rootValidity(this.#base.authority.trustBundle)];
    this.#factsChanged();
  }

  #factsChanged(): void {
    this.#federation.setFacts(this.#options.member.membership.cluster, this.#facts());
    this.#busSide?.feed.setFacts(this.#facts());
    this.loop.wake();
  }

  async #startAdmin(): Promise<void> {
    const { config, log } = this.#options;
    const admin = await startAdminServer({
      ...{ address: config.adminAddress, port: config.adminPort, registry: this.#registry, log },
      parts: () => readinessOf(this.loop.missing, { place: config.registry, stopping: this.#stopping }),
      world: () => this.world(),
      snapshot: () => describeSnapshot(this.store, this.#proxies.refs()),
      drain: async (token, proxy) => {
        if (!(await this.#proxies.drain(token, proxy))) return undefined;
        this.#busSide?.replicas.speak();
        return { settleMs: SETTLE_MS };
      },
      confirmHeld: () => this.#local.confirmHeld(),
      ...{ token: await adminToken(this.#options.member.agentDir), localDrain: this.#drains },
    });
    this.adminPort = admin.port;
    this.#stops.push(() => admin.stop());
  }

  async #connect(): Promise<Bus> {
    const { member, log } = this.#options;
    const { bus, stop } = await joinBus(member, {
      log,
      onProblem: (problem) => this.#warnings.standing('membership', problem === undefined ? [] : [problem]),
      onRenewed: (membership) => {
        this.#validity = [credentialsValidity(membership), this.#validity[1]];
      },
    });
    this.#stops.push(stop);
    return bus;
  }

  /** From here on what is heard and what is told go through it. */
  async #startBusSide(bus: Bus, server: AdsServer): Promise<void> {
    const side = new BusSide({
      ...{ bus, server, options: this.#options, base: this.#base, registry: this.#registry, warnings: this.#warnings },
      ...{ federation: this.#federation, loop: this.loop, local: this.#local, drains: this.#drains, drills: this.#drills },
      ...{ proxies: this.#proxies, probation: this.#probation, trust: this.#trust },
      ...{ facts: () => this.#facts(), status: () => this.#status(server), onChange: () => this.#changed() },
    });
    this.#busSide = side;
    this.#stops.push(() => side.stop());
    await side.start();
  }

  #measure(bus: Bus, server: AdsServer): void {
    registerAgentMetrics(this.#registry, {
      ...{ ready: () => this.loop.ready, busConnected: () => bus.connected, busReconnects: countReconnects(bus) },
      ...{ proxies: () => server.proxies().length, revision: () => this.loop.moment?.revision ?? 0 },
      ...{ ends: () => endsOf(this.#validity), publishes: () => this.publishes },
      ...{ heldLosses: () => this.#local.held, brakeHolds: () => this.#local.holds },
      ...{ shards: () => this.#federation.shards, peers: () => this.#busSide?.feed.peers() ?? [] },
    });
  }

  /** Called for anything that an operator could see, or that is saved: both coalesce. A state that is not whole is never saved. */
  #changed(): void {
    this.#proxies?.rejoin();
    this.#drains.look(this.#federation.localDrains(), this.#federation.policies);
    this.#warnings.standing('trust', this.#federation.trustProblems());
    this.#warnings.standing('networks', this.#federation.networkProblems());
    this.#warnings.standing('gateway-mode', unenforcedPeers(this.#federation.world()));
    this.#busSide?.changed();
    if (this.loop.ready) this.#lastGood.changed();
  }

  #status(server: AdsServer): AgentStatus {
    const { epoch, revision } = this.loop.moment ?? { epoch: 0, revision: 0 };
    return {
      ...{ instance: this.#base.replica, publisher: this.publishes, startedAt: this.#startedAt, version: VERSION },
      ...{ epoch, revision, ready: this.loop.ready },
      warnings: this.#warnings.list(),
      ...this.#issues.list(),
      validity: [...this.#validity],
      proxies: server.proxies(),
      peers: this.#busSide?.feed.peers() ?? [],
      ...{ trust: this.#trust.account(), drills: this.#drills.account() },
    };
  }

  #state(): SavedState {
    const { cluster, epoch } = this.#options.member.membership;
    const { moment } = this.loop;
    return {
      ...{ version: 1 as const, cluster, epoch },
      ...(this.#busSide?.feed.encoded() ?? { config: [], fleet: [] }),
      ...(moment === undefined ? {} : { moment: { epoch: moment.epoch, revision: moment.revision } }),
      ...savedLocal(this.#local.state()),
      ...{ proxies: this.#proxies.refs(), use: this.#use.saved(), lapsed: this.#federation.lapsed },
      ...{ probation: this.#probation.saved(), drills: this.#drills.saved() },
    };
  }
}
