/** The simulated federation: one database, one bus, hubs, clusters with an agent and a proxy each. */
import { type RosterMember, trustDomainOf } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { generateSigner, type Signer } from '@hawser/wire/signing.ts';
import pino from 'pino';
import { Checks } from './checks.ts';
import { CommittedLog } from './committed-log.ts';
import type { Random } from './random.ts';
import type { Scenario } from './scenario.ts';
import { SimAgent } from './sim-agent.ts';
import { SimHub } from './sim-hub.ts';
import { SimNats } from './sim-nats.ts';
import { SimProxy } from './sim-proxy.ts';
import { Truth } from './sim-registry.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Keys are made once: they take time, and what they are makes no difference. */
const KEYS: readonly Signer[] = Array.from({ length: 4 }, () => generateSigner());
const logger = pino({ level: process.env['HAWSER_LOG_LEVEL'] ?? 'silent' });
const REGIONS = ['us-east', 'us-west', 'eu-west'] as const;
const SERVICES = ['cart', 'ratings'] as const;

/** One member and all that belongs to it. */
export interface SimCluster {
  readonly name: string;
  readonly truth: Truth;
  readonly agents: readonly SimAgent[];
  readonly proxy: SimProxy;
}

/** All of it. */
export class SimFederation {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly nats: SimNats;
  readonly log: CommittedLog;
  readonly checks: Checks;
  readonly hubs: readonly SimHub[];
  readonly clusters: readonly SimCluster[];
  readonly scenario: Scenario;
  readonly forger: Signer = KEYS[3] as Signer;
  #writes = 0;
  #agents: readonly SimAgent[] | undefined;

  constructor(time: VirtualTime, random: Random, scenario: Scenario) {
    this.scenario = scenario;
    this.time = time;
    this.random = random;
    this.nats = new SimNats(time, random);
    this.log = new CommittedLog(time, random);
    this.checks = new Checks(this.log);
    const hubKey = generatedFor('hub');
    const hubParts = { time, nats: this.nats, log: this.log, signer: hubKey, logger };
    this.hubs = ['hub-1', 'hub-2'].slice(0, scenario.hubs).map((name) => new SimHub(name, hubParts));
    const names = REGIONS.slice(0, scenario.clusters);
    const members = names.map((name, index) => memberOf(name, KEYS[index] as Signer));
    this.log.write({ members });
    this.clusters = members.map((member, index) => this.#cluster(member, { index, hubKey: hubKey.publicKey, logger }));
  }

  /** Starts every process. */
  start(): void {
    for (const hub of this.hubs) hub.start();
    for (const agent of this.agents()) agent.start();
  }

  agents(): readonly SimAgent[] {
    this.#agents ??= this.clusters.flatMap(({ agents }) => agents);
    return this.#agents;
  }

  /** A write through the API; false while the database is down. */
  writePolicy(): boolean {
    if (!this.log.up) return false;
    this.#writes += 1;
    const name = `p${this.random.between(1, 4)}`;
    const kind = this.random.pick(['VirtualService', 'TrafficShift', 'FailoverPolicy']);
    const remove = this.random.chance(0.2);
    const resource = policyOf(kind, name, { random: this.random, at: new Date(this.time.now).toISOString(), write: this.#writes });
    if (remove && !this.log.state.resources.has(`${kind}/shop/${name}`)) return false;
    this.log.write({ resource, remove });
    return true;
  }

  /** Labels of a member change, and with them what is placed there. */
  relabel(): boolean {
    if (!this.log.up) return false;
    const members = this.log.state.members.map((member) => ({ ...member, labels: { tier: this.random.pick(['a', 'b']) } }));
    this.log.write({ members });
    return true;
  }

  /** What has not come together yet, the cheapest to find first; nothing when every agent and proxy is where the owners want it. */
  *apart(): Generator<string> {
    for (const agent of this.agents()) yield* this.#behind(agent);
    for (const agent of this.agents()) yield* this.#differing(agent);
    for (const { name, proxy } of this.clusters) for (const difference of proxy.differences()) yield `${name}'s proxy: ${difference}`;
  }

  *#behind({ actor, life }: SimAgent): Generator<string> {
    const { epoch, revision } = this.log;
    const moment = life?.loop.moment;
    if (life === undefined) yield `${actor.name} is down`;
    else if (moment?.epoch !== epoch || moment.revision !== revision)
      yield `${actor.name} is at ${moment?.epoch}/${moment?.revision}, not at ${epoch}/${revision}`;
  }

  *#differing({ actor, life }: SimAgent): Generator<string> {
    const shards = life?.federation.world().shards;
    for (const { name, truth } of this.clusters)
      if ([...truth.shards()].some(([key, shard]) => addressesOf(shards?.get(key)?.get(name)) !== addressesOf(shard)))
        yield `${actor.name} has other endpoints of ${name} than it has`;
  }

  #cluster(member: RosterMember, { index, hubKey, logger }: { index: number; hubKey: string; logger: pino.Logger }): SimCluster {
    const { time, random, nats, checks, scenario } = this;
    const truth = new Truth(member.name, index + 1);
    for (const service of SERVICES.slice(0, scenario.services))
      for (let count = random.between(1, 4); count > 0; count -= 1) truth.add(service);
    const agentOf = (replica: string): SimAgent =>
      new SimAgent({
        ...{ time, nats, member, replica, signer: KEYS[index] as Signer, hubKey, truth, logger },
        onWord: (one, shards) => checks.onWord(one, shards),
        onRevision: (one, moment, world) => checks.onRevision(one, moment, world),
        onReady: (one, aliveMs) => checks.onReady(one, aliveMs),
        onServed: (one) => checks.onServed(one),
      });
    const agents = ['a', 'b'].slice(0, index === 0 ? scenario.replicas : 1).map(agentOf);
    const proxy = new SimProxy({ cluster: member.name, agents, address: `10.${index + 1}.9.9`, time, random, checks });
    return { name: member.name, truth, agents, proxy };
  }
}

const made = new Map<string, Signer>();

function generatedFor(owner: string): Signer {
  const signer = made.get(owner) ?? generateSigner();
  made.set(owner, signer);
  return signer;
}

function memberOf(name: string, signer: Signer): RosterMember {
  const place = { region: name, zone: `${name}-a`, provider: 'sim', network: name };
  return { name, epoch: 10, signingKey: signer.publicKey, ...place, labels: { tier: 'a' }, trustDomain: trustDomainOf(name) };
}

function addressesOf(shard: { readonly endpoints: readonly { readonly address: string }[] } | undefined): string {
  return (shard?.endpoints ?? []).map(({ address }) => address).join(' ');
}

function policyOf(kind: string, name: string, { random, at, write }: { random: Random; at: string; write: number }): Resource {
  const annotations = random.chance(0.3) ? { 'hawser.dev/clusters': random.pick(['region=us-east', 'tier=a', 'tier!=a']) } : {};
  const metadata = { name, namespace: 'shop', uid: `u${write}`, creationTimestamp: at, labels: {}, annotations };
  const services = [random.pick(SERVICES)];
  switch (kind) {
    case 'TrafficShift': {
      const share = random.between(0, 100);
      return {
        apiVersion: 'hawser.dev/v1alpha1',
        kind,
        metadata,
        spec: { services, regions: { 'us-east': share, 'us-west': 100 - share } },
      } as Resource;
    }
    case 'FailoverPolicy':
      return {
        apiVersion: 'hawser.dev/v1alpha1',
        kind,
        metadata,
        spec: { services, order: [...REGIONS].reverse().slice(0, random.between(1, 3)) },
      } as Resource;
    default: {
      const route = [{ destination: { host: services[0] } }];
      const spec = { hosts: [services[0]], http: [{ route, timeout: `${random.between(1, 30)}s` }] };
      return { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata, spec } as Resource;
    }
  }
}
