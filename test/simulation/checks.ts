/** What must hold at every moment of a simulation, whatever fails; each breach ends the run and names itself. */
import type { Moment } from '@hawser/agent/control-loop.ts';
import type { Shards } from '@hawser/agent/state/endpoint-brake.ts';
import type { World } from '@hawser/agent/state/world.ts';
import { place } from '@hawser/hub/placement/place.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import { kindNamed } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { canonicalJson } from '@hawser/runtime/canonical-json.ts';
import { policyKey, ROSTER_KEY } from '@hawser/wire/subjects.ts';
import type { Wrongs } from '../kit/totals.ts';
import type { CommittedLog } from './committed-log.ts';
import type { SimAgent } from './sim-agent.ts';

/** A thing that may never happen, happened; one of what is counted, or a breach of protocol. */
export class Breach extends Error {
  readonly wrong: keyof Wrongs | undefined;

  constructor(message: string, wrong?: keyof Wrongs) {
    super(message);
    this.wrong = wrong;
  }
}

/** Marks everything that a forger writes; nobody may ever act on it. */
export const FORGED = '6.6.6.6';

/** Members that may be down for good are waited for this long. */
const GRACE_MS = 10_000;

type StateAt = ReturnType<CommittedLog['statesAt']>[number];

/** Watches all agents. */
export class Checks {
  readonly #log: CommittedLog;
  readonly #moments = new Map<string, Moment & { readonly life: number }>();
  /** Addresses that the owner itself once had in force and then had no more, by cluster. */
  readonly #withdrawn = new Map<string, Set<string>>();
  readonly #word = new Map<string, ReadonlySet<string>>();
  /** What each agent has seen of each cluster in its present life: `AGENT/LIFE CLUSTER`. */
  readonly #seen = new Map<string, ReadonlySet<string>>();
  readonly #placed = new WeakMap<StateAt, Map<string, string>>();
  /** How often each check was made: one that never runs proves nothing. */
  readonly made = { moments: 0, removals: 0, words: 0, gone: 0, pushes: 0 };

  constructor(log: CommittedLog) {
    this.#log = log;
  }

  /** The owner's word on its own endpoints. */
  onWord(agent: SimAgent, shards: Shards): void {
    this.made.words += 1;
    const now = new Set([...shards.values()].flatMap(({ service, endpoints }) => endpoints.map(({ address }) => `${service} ${address}`)));
    const withdrawn = this.#withdrawn.get(agent.cluster) ?? new Set<string>();
    this.#withdrawn.set(agent.cluster, withdrawn);
    for (const one of this.#word.get(agent.actor.name) ?? []) if (!now.has(one)) withdrawn.add(one);
    this.#word.set(agent.actor.name, now);
  }

  /** (epoch, revision) rises, and what is served is what was committed at that moment. */
  onRevision(agent: SimAgent, moment: Moment, world: World): void {
    this.made.moments += 1;
    const before = this.#moments.get(agent.actor.name);
    const { life } = agent.actor;
    if (before?.life === life && (moment.epoch < before.epoch || (moment.epoch === before.epoch && moment.revision < before.revision)))
      throw new Breach(
        `${agent.cluster} went back from ${before.epoch}/${before.revision} to ${moment.epoch}/${moment.revision}`,
        'staleOrForged',
      );
    this.#moments.set(agent.actor.name, { ...moment, life });
    const states = this.#log.statesAt(moment.epoch, moment.revision);
    const serves = servedText(world, agent.life?.federation.roster?.members ?? []);
    if (!states.some((state) => this.#placedOn(state, agent.cluster) === serves)) {
      const wanted = states.map((state) => this.#placedOn(state, agent.cluster)).join(' or ');
      throw new Breach(
        `${agent.cluster} serves at ${moment.epoch}/${moment.revision} ${serves}, committed was ${wanted || 'nothing'}`,
        'staleOrForged',
      );
    }
  }

  /** Unknown is not empty: who starts with nothing answers no proxy until the roster is known, and for a while not without all members. */
  onReady(agent: SimAgent, aliveMs: number): void {
    const { federation } = agent.life ?? {};
    if (federation?.roster === undefined) throw new Breach(`${agent.actor.name} serves before it knows the members`, 'emptyPushes');
    if (aliveMs >= GRACE_MS) return;
    const { clusters } = federation.world();
    const unknown = federation.peers().find(({ name }) => clusters.get(name)?.trustBundle.length === 0);
    if (unknown !== undefined) throw new Breach(`${agent.actor.name} serves before it heard of ${unknown.name}`, 'emptyPushes');
  }

  /** No endpoint disappears that its owner did not withdraw, and nothing forged appears. */
  onServed(agent: SimAgent): void {
    const { life } = agent;
    if (life === undefined) return;
    const byCluster = new Map<string, Set<string>>();
    for (const [key, shards] of life.federation.world().shards) {
      for (const [cluster, { endpoints }] of shards) {
        const seen = byCluster.get(cluster) ?? new Set<string>();
        byCluster.set(cluster, seen);
        for (const { address } of endpoints) {
          if (address === FORGED) throw new Breach(`${agent.cluster} acts on a forged endpoint of ${key} in ${cluster}`, 'staleOrForged');
          seen.add(`${key.slice(key.indexOf('/') + 1)} ${address}`);
        }
      }
    }
    const prefix = `${agent.actor.name}/${agent.actor.life} `;
    for (const cluster of new Set([...byCluster.keys(), ...this.#clustersSeen(prefix)])) {
      this.made.removals += 1;
      const now = byCluster.get(cluster) ?? new Set<string>();
      for (const one of this.#seen.get(prefix + cluster) ?? []) {
        if (now.has(one)) continue;
        this.made.gone += 1;
        if (this.#withdrawn.get(cluster)?.has(one) !== true)
          throw new Breach(`${agent.cluster} dropped ${one} of ${cluster}, which its owner never withdrew`, 'falseRemovals');
      }
      this.#seen.set(prefix + cluster, now);
    }
  }

  /** A proxy is given these endpoints of a service, where it had others before on the same stream. */
  onPush(proxy: string, service: string, { before, now }: { before: ReadonlySet<string>; now: ReadonlySet<string> }): void {
    this.made.pushes += 1;
    const kept = [...before].find((address) => !now.has(address) && !this.#isWithdrawn(`${service} ${address}`));
    if (kept === undefined) return;
    const words = `${proxy} loses ${kept} of ${service}, which its owner never withdrew`;
    throw new Breach(words, now.size === 0 ? 'emptyPushes' : 'falseRemovals');
  }

  #isWithdrawn(endpoint: string): boolean {
    return [...this.#withdrawn.values()].some((withdrawn) => withdrawn.has(endpoint));
  }

  #clustersSeen(prefix: string): string[] {
    return [...this.#seen.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  }

  #placedOn(state: StateAt, cluster: string): string {
    const known = this.#placed.get(state) ?? new Map<string, string>();
    this.#placed.set(state, known);
    const text = known.get(cluster) ?? documentsText(state, cluster);
    known.set(cluster, text);
    return text;
  }
}

function documentsText(state: StateAt, cluster: string): string {
  const documents = place({ resources: state.resources.values(), members: state.members }).get(cluster) ?? new Map<string, unknown>();
  const policies = [...documents].filter(([key]) => key !== ROSTER_KEY).map(([key, body]) => [key, (body as Resource).spec]);
  return canonicalJson([policies, membersText(state.members)]);
}

function servedText(world: World, members: readonly RosterMember[]): string {
  const policies = [...world.policies.values()].map(({ kind, metadata: { namespace = '', name }, spec }): [string, unknown] => {
    return [policyKey(kindNamed(kind)?.plural ?? kind, namespace, name), spec];
  });
  return canonicalJson([policies.sort(([a], [b]) => (a < b ? -1 : 1)), membersText(members)]);
}

function membersText(members: readonly RosterMember[]): unknown {
  return members.map(({ name, epoch, labels }) => [name, epoch, labels]).sort();
}
