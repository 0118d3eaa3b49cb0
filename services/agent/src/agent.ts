/** An agent put together: what it knows, compiles and serves, and to whom it speaks. The one place that constructs. */
import { randomUUID } from 'node:crypto';
import type { Bus } from '@hawser/bus/bus.ts';
import { countReconnects } from '@hawser/bus/count-reconnects.ts';
import type { ClusterFacts } from '@hawser/model/fleet.ts';
import { createRegistry, type Registry } from '@hawser/runtime/metrics.ts';
import type { AgentStatus, Validity } from '@hawser/wire/messages.ts';
import { verifierOf } from '@hawser/wire/signing.ts';
import { startAdminServer } from './admin/admin-server.ts';
import type { AgentOptions, RunningAgent } from './agent-options.ts';
import { ControlLoop } from './control-loop.ts';
import { LocalSource } from './discover/local-source.ts';
import { DrillLeases } from './drill-leases.ts';
import { AgentFeed } from './feed/agent-feed.ts';
import { type Foundations, openFoundations } from './feed/foundations.ts';
import { joinBus } from './feed/join-bus.ts';
import { LastKnownGood } from './feed/last-known-good.ts';
import { meetReplicas } from './feed/meet-replicas.ts';
import type { Replicas } from './feed/replicas.ts';
import { encodedState, localStateOf, type SavedState, savedLocal } from './feed/saved-state.ts';
import { injectIfAsked } from './inject/inject-if-asked.ts';
import { adminToken, LocalDrains } from './local-drain.ts';
import type { Multicluster } from './multicluster/follow-multicluster.ts';
import { plainAnswers } from './plain/plain-answers.ts';
import { PlainCallers } from './plain/plain-callers.ts';
import { followTrials, policyDiff } from './policy-serving.ts';
import { ProxyRegistry } from './proxy-registry.ts';
import { writeAgentLocation } from './report/agent-location.ts';
import { registerAgentMetrics } from './report/agent-metrics.ts';
import { describeSnapshot, describeWorld, readinessOf } from './report/debug-views.ts';
import { ownFacts } from './report/own-facts.ts';
import { PolicyIssues } from './report/policy-issues.ts';
import { tellPolicies } from './report/policy-teller.ts';
import { RolloutTracker } from './report/rollout-tracker.ts';
import { serveRpc } from './report/rpc.ts';
import { StatusReporter } from './report/status-reporter.ts';
import { registerTrustMetrics } from './report/trust-metrics.ts';
import { credentialsValidity, endsOf, rootValidity } from './report/validity.ts';
import { Warnings } from './report/warnings.ts';
import { SnapshotStore } from './snapshot/snapshot-store.ts';
import { Federation } from './state/federation.ts';
import { PolicyProbation } from './state/policy-probation.ts';
import { startTraffic } from './traffic/start-traffic.ts';
import type { TrafficReporter } from './traffic/traffic-reporter.ts';
import { createTranslator, type Translator } from './translate/translator.ts';
import { agentCertificate } from './trust/agent-certificate.ts';
import { followAuthority } from './trust/follow-authority.ts';
import { TrustReport } from './trust/trust-report.ts';
import { WorkloadCertificates } from './trust/workload-certificates.ts';
import { RecentUse } from './upstream-use.ts';
import { type AdsServer, startAdsServer } from './xds/ads-server.ts';
import type { ProxyStream } from './xds/proxy-stream.ts';

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
  readonly #plain = new PlainCallers();
  readonly #lastGood: LastKnownGood<SavedState>;
  readonly #startedAt = new Date().toISOString();
  readonly #stops: (() => Promise<void> | void)[] = [];
  #validity: readonly [credentials: Validity, root: Validity];
  #stopping = false;
  #feed: AgentFeed | undefined;
  #server: AdsServer | undefined;
  #rollouts: RolloutTracker<ProxyStream> | undefined;
  #reporter: StatusReporter | undefined;
  #replicas: Replicas | undefined;
  #traffic: TrafficReporter | undefined;
  #multicluster: Multicluster | undefined;

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
        this.#replicas?.speak();
      },
    });
    this.#federation.setFacts(cluster, this.#facts());
    const { saved } = base;
    this.#drills = new DrillLeases({
      ...{ cluster, saved: saved?.drills ?? [], onLapse: () => this.loop.reconsider(), onChange: () => this.#changed() },
      onPartition: (from) => this.#feed?.cutOff(from),
    });
    this.#probation = new PolicyProbation(saved === undefined ? undefined : (saved.probation ?? { refused: [], standIns: [] }));
    const translator = options.translator ?? createTranslator(config.virtualRange);
    this.#issues = new PolicyIssues({ probation: this.#probation, rules: () => translator.problems() });
    const onTrust = (): void => this.#reporter?.changed();
    this.#trust = new TrustReport({ ...base, store: this.store, saved: saved?.proxies ?? [], log, onChange: onTrust });
    this.loop = this.#makeLoop(translator);
    this.#local = new LocalSource({
      cluster,
      openRegistry: base.openRegistry,
      saved: base.saved === undefined ? undefined : localStateOf(base.saved),
      onShards: (shards) => {
        this.loop.setOwnShards(shards);
        this.#feed?.publish(shards);
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
        this.#replicas?.speak();
        this.#changed();
      },
    });
  }

  get publishes(): boolean {
    return this.#feed?.publishes ?? false;
  }

  world(): ReturnType<typeof describeWorld> {
    const feed = this.#feed;
    const heard = { peers: feed?.peers() ?? [], moments: feed?.moments() ?? new Map() };
    return describeWorld(this.#federation.world(), { ...heard, moment: this.loop.moment, warnings: this.#warnings.list() });
  }

  /** Listens first, so that a taken port is the first thing found; nothing is answered before everything is known. */
  async start(): Promise<RunningAgent> {
    const { saved, authority } = this.#base;
    if (saved?.moment !== undefined) this.loop.resume(saved.moment);
    this.#server = await this.#startXds();
    await this.#startAdmin();
    await this.#local.start();
    this.#stops.push(() => this.#local.stop());
    const bus = await this.#connect();
    this.#report(bus, this.#server);
    this.#startFeed(bus);
    await this.#countTraffic(bus, this.#server);
    this.#stops.push(await injectIfAsked({ ...this.#options, authority, warnings: this.#warnings, registry: this.#registry }));
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
      onRevision: (moment, applied) => this.#rollouts?.trackRevision(moment.epoch, moment.revision, applied),
      onProblems: (problems) => {
        this.#issues.setCompileProblems(problems);
        const messages = problems.map(({ message }) => message);
        this.#warnings.standing('translate', messages);
      },
      onServed: (clusters) => this.#trust.served(clusters),
      onRoster: () => this.#feed?.rosterChanged(),
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
    this.xdsPort = server.port;
    this.#trust.follow(server);
    this.#stops.push(
      () => server.stop(),
      () => this.#trust.stop(),
    );
    server.onChange(() => this.#reporter?.changed());
    return server;
  }

  #bundleChanged(): void {
    this.#validity = [this.#validity[0], rootValidity(this.#base.authority.trustBundle)];
    this.#factsChanged();
  }

  #factsChanged(): void {
    this.#federation.setFacts(this.#options.member.membership.cluster, this.#facts());
    this.#feed?.setFacts(this.#facts());
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
        this.#replicas?.speak();
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

  #report(bus: Bus, server: AdsServer): void {
    const { signer, membership } = this.#options.member;
    const { cluster, epoch, hubKey } = membership;
    const nextRevision = (): number => this.#base.revisions.next();
    const { replica } = this.#base;
    const reporter = new StatusReporter({ bus, cluster, replica, epoch, signer, nextRevision, status: () => this.#status(server) });
    this.#reporter = reporter;
    const serving = { server, loop: this.loop, log: this.#options.log };
    const trials = followTrials(serving, this.#probation, { rollouts: () => this.#rollouts, changed: () => this.#changed() });
    this.#rollouts = new RolloutTracker(
      server.streams,
      (status) => reporter.rollout(status),
      () => this.#probation.active,
    );
    const diff = policyDiff(serving, this.#federation, this.#proxies);
    const rpc = serveRpc({
      ...{ bus, cluster, replica, hubKey: verifierOf(hubKey) },
      proxyConfig: (proxy, section) => server.proxyConfig(proxy, section),
      explainRoute: (request) => server.explainRoute(request),
      plainCallers: plainAnswers(this.#plain, { federation: this.#federation, server, registry: this.#proxies }),
      ...{ diff: (request) => diff.answer(request), tellTrafficAgain: (sinceMs) => this.#traffic?.tellAgain(sinceMs) },
      ...{ drillLease: (run) => this.#drills.renew(run), isCutOff: () => this.#drills.cutFrom === 'hub' },
    });
    registerAgentMetrics(this.#registry, {
      ...{ ready: () => this.loop.ready, busConnected: () => bus.connected, busReconnects: countReconnects(bus) },
      ...{ proxies: () => server.proxies().length, revision: () => this.loop.moment?.revision ?? 0 },
      ...{ ends: () => endsOf(this.#validity), publishes: () => this.publishes },
      ...{ heldLosses: () => this.#local.held, brakeHolds: () => this.#local.holds },
      ...{ shards: () => this.#federation.shards, peers: () => this.#feed?.peers() ?? [] },
    });
    this.#stops.push(() => {
      for (const one of [this.#rollouts, trials, rpc, diff, reporter]) one?.stop();
    });
  }

  async #countTraffic(bus: Bus, server: AdsServer): Promise<void> {
    const traffic = await startTraffic({
      ...{ ...this.#base, bus, member: this.#options.member, log: this.#options.log, registry: this.#registry, plain: this.#plain },
      ...{ proxies: () => server.proxies(), isShared: () => this.#replicas?.hasOthers ?? false, federation: this.#federation },
    });
    this.#traffic = traffic;
    this.#stops.push(() => traffic.stop());
  }

  #startFeed(bus: Bus): void {
    const { member, log } = this.#options;
    const feed = new AgentFeed({
      ...{ bus, member, facts: this.#facts(), federation: this.#federation, loop: this.loop, warnings: this.#warnings, log },
      saved: this.#base.saved,
      heartbeatMs: this.#options.heartbeatMs,
      ...{ replica: this.#base.replica, process: randomUUID() },
      onTrustOrder: (order) => this.#trust.take(order),
      revisions: (above) => this.#base.revisions.next(above),
      onChange: () => {
        this.#replicas?.speak();
        this.#changed();
      },
    });
    this.#feed = feed;
    const replicas = meetReplicas({ bus, member, base: this.#base, feed, local: this.#local, drains: this.#drains });
    this.#replicas = replicas;
    const stopTelling = tellPolicies({ bus, member, base: this.#base, feed, federation: this.#federation, warnings: this.#warnings });
    this.#stops.push(() => Promise.all([stopTelling(), feed.stop()]).then(() => replicas.stop()));
    feed.start();
    if (this.#local.known) feed.publish(this.#local.shards);
    this.loop.run();
    const parts = { feed, federation: this.#federation, loop: this.loop, local: this.#local, warnings: this.#warnings };
    this.#multicluster = this.#base.followMulticluster?.({ ...parts, registry: this.#registry, range: this.#options.config.virtualRange });
    this.#stops.push(() => this.#multicluster?.stop());
  }

  /** Called for anything that an operator could see, or that is saved: both coalesce. A state that is not whole is never saved. */
  #changed(): void {
    this.#proxies?.rejoin();
    this.#drains.look(this.#federation.localDrains(), this.#federation.policies);
    this.#warnings.standing('trust', this.#federation.trustProblems());
    this.#warnings.standing('networks', this.#federation.networkProblems());
    this.#reporter?.changed();
    this.#multicluster?.wake();
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
      peers: this.#feed?.peers() ?? [],
      ...{ trust: this.#trust.account(), drills: this.#drills.account() },
    };
  }

  #state(): SavedState {
    const { cluster, epoch } = this.#options.member.membership;
    const { moment } = this.loop;
    return {
      ...{ version: 1 as const, cluster, epoch },
      ...(this.#feed?.encoded() ?? { config: [], fleet: [] }),
      ...(moment === undefined ? {} : { moment: { epoch: moment.epoch, revision: moment.revision } }),
      ...savedLocal(this.#local.state()),
      ...{ proxies: this.#proxies.refs(), use: this.#use.saved(), lapsed: this.#federation.lapsed },
      ...{ probation: this.#probation.saved(), drills: this.#drills.saved() },
    };
  }
}
