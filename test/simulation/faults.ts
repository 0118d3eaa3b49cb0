/** What goes wrong in a simulation: drawn from the seed, undone before liveness is asked for. */
import { seal } from '@hawser/wire/envelope.ts';
import { FLEET_STREAM } from '@hawser/wire/subjects.ts';
import { FORGED } from './checks.ts';
import type { SimCluster, SimFederation } from './federation.ts';
import type { Fault } from './scenario.ts';
import type { SimHub } from './sim-hub.ts';
import type { Link } from './sim-nats.ts';
import type { Stored } from './sim-stream.ts';

/** Makes faults happen, and heals them. */
export class Faults {
  readonly happened = new Map<Fault, number>();
  readonly #federation: SimFederation;
  readonly #trace: (line: string) => void;
  readonly #past: Stored[] = [];
  #restoring = false;
  #healed = false;

  constructor(federation: SimFederation, trace: (line: string) => void) {
    this.#federation = federation;
    this.#trace = trace;
  }

  /** One thing, now. */
  strike(): void {
    const fault = this.#federation.random.weighted(this.#federation.scenario.weights);
    this.happened.set(fault, (this.happened.get(fault) ?? 0) + 1);
    this.#trace(`${fault}: ${this.#strike(fault)}`);
  }

  /** Everything works again, everybody is there, and nothing more goes wrong. */
  heal(): void {
    const { nats, log, hubs, clusters, time } = this.#federation;
    this.#healed = true;
    nats.weather = { lose: 0, double: 0, reorder: 0, slowestMs: 3 };
    nats.full = false;
    log.up = true;
    nats.start();
    nats.healAll();
    for (const actor of [
      ...hubs.map((hub) => hub.actor),
      ...this.#federation.agents().map((agent) => agent.actor),
      ...clusters.map(({ proxy }) => proxy.actor),
    ])
      time.resume(actor);
    for (const hub of hubs) if (!hub.alive) hub.start();
    for (const agent of this.#federation.agents()) {
      if (agent.life === undefined) agent.start();
      agent.read('relist');
    }
    for (const { proxy } of clusters) {
      proxy.refuses = 0;
      proxy.setStalled(false);
      proxy.disconnect();
    }
  }

  #strike(fault: Fault): string {
    const { random, nats } = this.#federation;
    const cluster = random.pick(this.#federation.clusters);
    switch (fault) {
      case 'endpoint':
        return this.#endpoint(cluster);
      case 'scale':
        return this.#scale(cluster);
      case 'policy':
        return this.#restoring ? 'not while restoring' : String(this.#federation.writePolicy());
      case 'relabel':
        return this.#restoring ? 'not while restoring' : String(this.#federation.relabel());
      case 'crashAgent':
        return this.#crashAgent(cluster);
      case 'crashHub':
        return this.#crashHub();
      case 'pause':
        return this.#pause(cluster);
      case 'link':
        return this.#link(cluster);
      case 'server':
        nats.stop();
        this.#later(8_000, () => nats.start());
        return 'NATS down';
      case 'wipe':
        nats.stop();
        nats.wipe();
        this.#later(3_000, () => nats.start());
        return 'NATS wiped';
      case 'recreate':
        nats.streams.delete(random.pick([...nats.streams.keys(), FLEET_STREAM]));
        return 'a stream deleted';
      case 'full':
        nats.full = true;
        this.#later(10_000, () => {
          nats.full = false;
        });
        return 'the disk is full';
      case 'flip':
        return this.#flip();
      case 'replay':
        return this.#replay();
      case 'forge':
        return this.#forge(cluster);
      case 'database':
        return this.#database();
      case 'restore':
        return this.#restore();
      case 'weather':
        return this.#weather();
      case 'shortRead':
        return this.#shortRead(cluster);
      case 'proxy':
        return this.#proxy(cluster);
    }
  }

  /** What is broken works again before long: in a short chaos too. */
  #later(atMost: number, run: () => void): void {
    const { time, random, scenario } = this.#federation;
    time.plan(time.world, random.between(10, Math.min(atMost, scenario.chaosMs)), () => {
      if (!this.#healed) run();
    });
  }

  #endpoint({ name, truth, agents }: SimCluster): string {
    const { random } = this.#federation;
    const service = random.pick([...truth.services.keys()]);
    if (random.chance(0.5)) truth.add(service);
    else truth.remove(service, random);
    for (const agent of agents) agent.read('live');
    return `${service} of ${name}`;
  }

  #scale({ name, truth, agents }: SimCluster): string {
    const { random } = this.#federation;
    const service = random.pick([...truth.services.keys()]);
    const down = random.chance(0.5);
    for (let count = random.between(2, 12); count > 0; count -= 1) {
      if (down) truth.remove(service, random);
      else truth.add(service);
    }
    for (const agent of agents) agent.read('live');
    return `${service} of ${name} ${down ? 'down' : 'up'}`;
  }

  #crashAgent({ agents }: SimCluster): string {
    const { random } = this.#federation;
    const agent = random.pick(agents);
    const { name } = agent.actor;
    if (agent.life === undefined) return `${name} is dead already`;
    const losingDisk = random.chance(0.2);
    agent.crash({ losingDisk });
    this.#later(10_000, () => agent.life === undefined && agent.start());
    return `${name}${losingDisk ? ', and its disk' : ''}`;
  }

  #crashHub(): string {
    const hub = this.#hub();
    if (!hub.alive) return 'is dead already';
    hub.crash();
    this.#later(10_000, () => hub.alive || hub.start());
    return hub.actor.name;
  }

  #pause({ agents, proxy }: SimCluster): string {
    const { random, time } = this.#federation;
    const hub = this.#hub();
    const actor = random.pick([random.pick(agents).actor, proxy.actor, hub.actor]);
    time.pause(actor);
    const { life } = actor;
    this.#later(40_000, () => actor.life === life && time.resume(actor));
    return actor.name;
  }

  #link({ agents }: SimCluster): string {
    const { random, nats } = this.#federation;
    const hub = this.#hub();
    const actor = random.pick([random.pick(agents).actor, random.pick(agents).actor, hub.actor]);
    const link: Link = random.pick(['cut', 'silent']);
    nats.setLink(actor, link);
    this.#later(40_000, () => nats.setLink(actor, 'up'));
    return `${actor.name} ${link}`;
  }

  #flip(): string {
    const stored = this.#anyStored();
    if (stored === undefined || stored.bytes.length === 0) return 'nothing is stored';
    const bytes = Buffer.from(stored.bytes);
    const at = this.#federation.random.between(0, bytes.length - 1);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#federation.random.between(0, 7));
    stored.bytes = bytes;
    return stored.subject;
  }

  /** Stores something that was said before, on its own subject or on another's. */
  #replay(): string {
    const { random, nats } = this.#federation;
    const stored = this.#anyStored();
    if (stored !== undefined) this.#past.push({ ...stored });
    if (this.#past.length === 0) return 'nothing was said yet';
    const old = random.pick(this.#past);
    const subject = random.chance(0.6) || stored === undefined ? old.subject : stored.subject;
    nats.inject(subject, old.bytes);
    return `${old.subject} on ${subject}`;
  }

  #forge({ name }: SimCluster): string {
    const { random, nats, forger } = this.#federation;
    const endpoints = [{ address: FORGED, targetPorts: { '80': 9080 }, labels: {}, serviceAccount: 'x', health: 'HEALTHY' }];
    const body = { cluster: name, namespace: 'shop', service: 'cart', exported: true, ports: [{ port: 80, protocol: 'http' }], endpoints };
    const head = { protocol: 1, from: name, to: '*', key: 'shard.shop.cart', epoch: random.pick([1, 10, 999]), revision: 999_999 };
    nats.inject(`hawser.fleet.${name}.shard.shop.cart`, seal({ ...head, part: 0, parts: 1, body }, forger));
    return `shard of ${name}`;
  }

  #database(): string {
    const { log } = this.#federation;
    log.up = false;
    this.#later(15_000, () => {
      log.up = !this.#restoring;
    });
    return 'down';
  }

  /** An older copy is put in place while the database is down; nobody writes before the hub had a look at it. */
  #restore(): string {
    const { log, time, random } = this.#federation;
    if (this.#restoring) return 'under way';
    this.#restoring = true;
    const copy = log.backup();
    this.#later(20_000, () => {
      log.up = false;
      time.plan(time.world, random.between(100, 3_000), () => {
        if (this.#healed) return;
        log.restore(copy);
        log.up = true;
        time.plan(time.world, 60_000, () => {
          this.#restoring = false;
        });
      });
    });
    return `of revision ${copy.revision}`;
  }

  #weather(): string {
    const { random, nats } = this.#federation;
    nats.weather = {
      lose: random.pick([0, 0.02, 0.2]),
      double: random.pick([0, 0.05]),
      reorder: random.pick([0, 0.05]),
      slowestMs: random.pick([3, 50, 400]),
    };
    return JSON.stringify(nats.weather);
  }

  #shortRead({ name, truth, agents }: SimCluster): string {
    const { random } = this.#federation;
    const all = [...truth.services.values()].flatMap((addresses) => [...addresses]);
    const short = new Set(all.filter(() => random.chance(0.6)));
    random.pick(agents).read('relist', short);
    return `${short.size} of ${all.length} endpoints of ${name} are not read`;
  }

  #proxy({ name, proxy }: SimCluster): string {
    const { random } = this.#federation;
    const what = random.pick(['disconnect', 'refuse', 'stall'] as const);
    if (what === 'disconnect') proxy.disconnect();
    if (what === 'refuse') proxy.refuses = random.pick([0, 0.3]);
    if (what === 'stall') {
      proxy.setStalled(true);
      this.#later(20_000, () => proxy.setStalled(false));
    }
    return `${name} ${what}`;
  }

  #hub(): SimHub {
    const { random, hubs } = this.#federation;
    return random.pick(hubs);
  }

  #anyStored(): Stored | undefined {
    const { nats, random } = this.#federation;
    const all = [...nats.streams.values()].flatMap((stream) => [...stream.last.values()]);
    return all.length === 0 ? undefined : random.pick(all);
  }
}
