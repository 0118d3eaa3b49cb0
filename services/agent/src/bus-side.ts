/** What an agent says and hears on the bus, put together: its account and answers, the feed, its replicas, traffic. All else of it works without a bus. */
import { randomUUID } from 'node:crypto';
import type { Bus } from '@hawser/bus/bus.ts';
import type { ClusterFacts } from '@hawser/model/fleet.ts';
import type { Registry } from '@hawser/runtime/metrics.ts';
import type { AgentStatus } from '@hawser/wire/messages.ts';
import { verifierOf } from '@hawser/wire/signing.ts';
import type { AgentOptions } from './agent-options.ts';
import type { ControlLoop } from './control-loop.ts';
import type { PolicyDiff } from './diff/policy-diff.ts';
import type { LocalSource } from './discover/local-source.ts';
import type { DrillLeases } from './drill-leases.ts';
import { AgentFeed } from './feed/agent-feed.ts';
import type { Foundations } from './feed/foundations.ts';
import { meetReplicas } from './feed/meet-replicas.ts';
import type { Replicas } from './feed/replicas.ts';
import type { LocalDrains } from './local-drain.ts';
import type { Multicluster } from './multicluster/follow-multicluster.ts';
import { plainAnswers } from './plain/plain-answers.ts';
import { PlainCallers } from './plain/plain-callers.ts';
import { followTrials, policyDiff } from './policy-serving.ts';
import type { PolicyTrials } from './policy-trials.ts';
import type { ProxyRegistry } from './proxy-registry.ts';
import { tellPolicies } from './report/policy-teller.ts';
import { RolloutTracker } from './report/rollout-tracker.ts';
import { serveRpc } from './report/rpc.ts';
import { StatusReporter } from './report/status-reporter.ts';
import type { Warnings } from './report/warnings.ts';
import type { Federation } from './state/federation.ts';
import type { PolicyProbation } from './state/policy-probation.ts';
import { startTraffic } from './traffic/start-traffic.ts';
import type { TrafficReporter } from './traffic/traffic-reporter.ts';
import type { TrustReport } from './trust/trust-report.ts';
import type { AdsServer } from './xds/ads-server.ts';
import type { ProxyStream } from './xds/proxy-stream.ts';

/** The agent that it speaks for. */
export interface BusSideParts {
  readonly bus: Bus;
  readonly options: AgentOptions;
  readonly base: Foundations;
  readonly registry: Registry;
  readonly server: AdsServer;
  readonly warnings: Warnings;
  readonly federation: Federation;
  readonly loop: ControlLoop;
  readonly local: LocalSource;
  readonly drains: LocalDrains;
  readonly drills: DrillLeases;
  readonly proxies: ProxyRegistry;
  readonly probation: PolicyProbation;
  readonly trust: TrustReport;
  /** What its cluster tells the others of itself. */
  readonly facts: () => ClusterFacts;
  /** The whole account for the hub. */
  readonly status: () => AgentStatus;
  /** Anything that an operator could see, or that is saved, is another. */
  readonly onChange: () => void;
}

/** Reports and answers from its construction on; the federation is heard, and told of the cluster, from `start`. */
export class BusSide {
  readonly reporter: StatusReporter;
  readonly rollouts: RolloutTracker<ProxyStream>;
  readonly feed: AgentFeed;
  readonly replicas: Replicas;
  readonly #parts: BusSideParts;
  readonly #plain = new PlainCallers();
  readonly #trials: PolicyTrials<ProxyStream>;
  readonly #diff: PolicyDiff;
  readonly #rpc: ReturnType<typeof serveRpc>;
  readonly #stopTelling: () => Promise<void>;
  #multicluster: Multicluster | undefined;
  #traffic: TrafficReporter | undefined;

  constructor(parts: BusSideParts) {
    const { bus, options, base, server, federation, loop, probation, onChange } = parts;
    const { member, log } = options;
    const { cluster, epoch } = member.membership;
    this.#parts = parts;
    this.reporter = new StatusReporter({
      ...{ bus, cluster, epoch, replica: base.replica, signer: member.signer, status: parts.status },
      nextRevision: () => base.revisions.next(),
    });
    const serving = { server, loop, log };
    this.#trials = followTrials(serving, probation, { rollouts: () => this.rollouts, changed: onChange });
    this.rollouts = new RolloutTracker(
      server.streams,
      (status) => this.reporter.rollout(status),
      () => probation.active,
    );
    this.#diff = policyDiff(serving, federation, parts.proxies);
    this.#rpc = this.#serveRpc();
    this.feed = this.#makeFeed();
    this.replicas = meetReplicas({ bus, member, base, feed: this.feed, local: parts.local, drains: parts.drains });
    this.#stopTelling = tellPolicies({ bus, member, base, feed: this.feed, federation, warnings: parts.warnings });
  }

  /** Takes what was saved, listens, publishes what is known, compiles, and counts traffic from then on. */
  async start(): Promise<void> {
    const { bus, options, base, registry, server, federation, loop, local, warnings } = this.#parts;
    const { feed } = this;
    feed.start();
    if (local.known) feed.publish(local.shards);
    loop.run();
    this.#multicluster = base.followMulticluster?.({
      ...{ feed, federation, loop, local, warnings, registry },
      config: options.config,
    });
    this.#traffic = await startTraffic({
      ...{ ...base, bus, member: options.member, log: options.log, registry, plain: this.#plain },
      ...{ proxies: () => server.proxies(), isShared: () => this.replicas.hasOthers, federation },
    });
  }

  /** Something of the agent is another: the hub is told soon, and the MCS objects are looked at. */
  changed(): void {
    this.reporter.changed();
    this.#multicluster?.wake();
  }

  async stop(): Promise<void> {
    await this.#traffic?.stop();
    await this.#multicluster?.stop();
    await Promise.all([this.#stopTelling(), this.feed.stop()]);
    await this.replicas.stop();
    for (const one of [this.rollouts, this.#trials, this.#rpc, this.#diff, this.reporter]) one.stop();
  }

  #serveRpc(): ReturnType<typeof serveRpc> {
    const { bus, options, base, server, federation, proxies, drills } = this.#parts;
    const { cluster, hubKey } = options.member.membership;
    return serveRpc({
      ...{ bus, cluster, replica: base.replica, hubKey: verifierOf(hubKey) },
      proxyConfig: (proxy, section) => server.proxyConfig(proxy, section),
      explainRoute: (request) => server.explainRoute(request),
      plainCallers: plainAnswers(this.#plain, { federation, server, registry: proxies }),
      ...{ diff: (request) => this.#diff.answer(request), tellTrafficAgain: (sinceMs) => this.#traffic?.tellAgain(sinceMs) },
      ...{ drillLease: (run) => drills.renew(run), isCutOff: () => drills.cutFrom === 'hub' },
    });
  }

  #makeFeed(): AgentFeed {
    const { bus, options, base, federation, loop, warnings, trust, facts, onChange } = this.#parts;
    const { member, log, heartbeatMs } = options;
    return new AgentFeed({
      ...{ bus, member, facts: facts(), federation, loop, warnings, log, saved: base.saved, heartbeatMs },
      ...{ replica: base.replica, process: randomUUID() },
      onTrustOrder: (order) => trust.take(order),
      revisions: (above) => base.revisions.next(above),
      onChange: () => {
        this.replicas.speak();
        onChange();
      },
    });
  }
}
