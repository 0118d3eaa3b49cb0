/** Agents of a test under the eye of a history checker: every change of what they serve is looked at. */
import type { RunningAgent } from '@hawser/agent/agent.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { canonicalJson } from '@hawser/runtime/canonical-json.ts';
import { HistoryChecker, type Moment } from './history-checker.ts';
import { assignmentOf, eventually, servedBy } from './served.ts';
import { account } from './totals.ts';

/** The hub, as owner of policies. */
const HUB = 'hub';

/** Records what owners say and what agents make of it. */
export class Watched {
  readonly history = new HistoryChecker();
  readonly #stops: (() => void)[] = [];
  /** By cluster, of the agent watched last. */
  readonly #looks = new Map<string, () => void>();
  /** Services, and the clusters that have endpoints of them now. */
  readonly #served = new Map<string, Set<string>>();

  /** A cluster says which addresses a service has, or with none that it is gone. */
  service(cluster: string, service: string, addresses: readonly string[]): void {
    this.history.commit(cluster, `bookinfo/${service}`, addresses.length === 0 ? undefined : contentOf(addresses));
    const owners = this.#served.get(service) ?? new Set<string>();
    this.#served.set(service, owners);
    if (addresses.length > 0) owners.add(cluster);
    else owners.delete(cluster);
  }

  /** The hub's policy from now on. */
  policy(name: string, policy: Resource | undefined): void {
    this.history.commit(HUB, name, policy === undefined ? undefined : canonicalJson(policy.spec));
  }

  /** Looks at the agent now, and at each change of what it serves. */
  watch(agent: RunningAgent): void {
    const { self } = agent.world();
    const full = new Set<string>();
    const versions = new Map<string, string | undefined>();
    const look = (): void => {
      const world = agent.world();
      for (const [service, owners] of this.#served) {
        const version = agent.store.get('sidecar', 'EDS', assignmentOf(service))?.version;
        if (version !== versions.get(service)) this.history.pushed();
        versions.set(service, version);
        const has = /\d+\.\d+\.\d+\.\d+/.test(servedBy(agent, service));
        if (has) full.add(service);
        else if (full.delete(service) && owners.size > 0) this.history.emptied(self, service);
      }
      this.history.observe(self, { moments: momentsOf(world), held: heldOf(world) });
    };
    this.#stops.push(agent.store.subscribe(look));
    this.#looks.set(self, look);
    look();
  }

  /** Resolves when these clusters' agents hold the last of everything; else tells what they have not. */
  async converge(what: string, ...clusters: readonly string[]): Promise<void> {
    let behind: readonly string[] = [];
    const isThere = (): boolean => {
      // A removal that changes nothing that is served is told by no change of it.
      for (const name of clusters) this.#looks.get(name)?.();
      behind = clusters.flatMap((name) => this.history.behind(name).map((place) => `${name} is behind in ${place}`));
      return behind.length === 0;
    };
    await eventually(isThere, () => `not converged ${what}: ${behind.join('; ')}`);
  }

  /** Everything is over: what these agents do not have now is lost. Answers every breach. */
  finish(...agents: readonly string[]): readonly string[] {
    for (const stop of this.#stops.splice(0)) stop();
    for (const agent of agents) this.history.finish(agent);
    account(this.history.totals);
    return this.history.breaches;
  }
}

type World = ReturnType<RunningAgent['world']>;

function momentsOf({ moment, moments }: World): Map<string, Moment> {
  return new Map([...Object.entries<Moment>(moments), ...(moment === undefined ? [] : [[HUB, moment] as const])]);
}

function heldOf({ self, shards, policies }: World): Map<string, ReadonlyMap<string, string>> {
  const held = new Map<string, Map<string, string>>();
  const put = (owner: string, key: string, content: string): void => {
    held.set(owner, (held.get(owner) ?? new Map<string, string>()).set(key, content));
  };
  for (const [service, list] of Object.entries(shards))
    for (const { cluster, endpoints } of list)
      if (cluster !== self && endpoints.length > 0) put(cluster, service, contentOf(endpoints.map(({ address }) => address)));
  for (const { metadata, spec } of policies) put(HUB, metadata.name, canonicalJson(spec));
  return held;
}

function contentOf(addresses: readonly string[]): string {
  return [...addresses].sort().join();
}
