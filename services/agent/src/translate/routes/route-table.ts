/** The virtual hosts of one route configuration by the service they come from: a change costs its own hosts, and one pass over the rest. */
import type { XdsResource } from '../../snapshot/resource.ts';
import { danglingRoutes } from '../invariants.ts';
import { type EncodedHost, routeConfiguration } from './route-config.ts';

/** Newly compiled hosts by service; none: the service has none any more. */
export type HostChanges = ReadonlyMap<string, readonly EncodedHost[]>;

/** A change that was looked at and not yet made. */
export interface StagedHosts {
  readonly changes: HostChanges;
  /** All of them, in the order of their names. */
  readonly sorted: readonly EncodedHost[];
  /** Domains that two hosts would have: Envoy refuses all routes then. */
  readonly shared: readonly string[];
}

/** Keeps the hosts. `stage` only looks; `commit` replaces. */
export class RouteTable {
  readonly #hosts = new Map<string, readonly EncodedHost[]>();
  /** Whose each domain is. */
  readonly #domains = new Map<string, string>();
  #sorted: readonly EncodedHost[] = [];

  stage(changes: HostChanges): StagedHosts {
    const removed = new Set([...changes.keys()].flatMap((key) => this.#hosts.get(key) ?? []));
    const added = [...changes.values()].flat().sort(byName);
    return { changes, sorted: merged(this.#sorted, removed, added), shared: this.#sharedDomains(removed, added) };
  }

  commit({ changes, sorted }: StagedHosts): void {
    for (const key of changes.keys())
      for (const { domains } of this.#hosts.get(key) ?? []) for (const domain of domains) this.#domains.delete(domain);
    for (const [key, hosts] of changes) {
      if (hosts.length === 0) this.#hosts.delete(key);
      else this.#hosts.set(key, hosts);
      for (const { name, domains } of hosts) for (const domain of domains) this.#domains.set(domain, name);
    }
    this.#sorted = sorted;
  }

  /** All of them, in the order of their names. */
  get sorted(): readonly EncodedHost[] {
    return this.#sorted;
  }

  /** The hosts of a service. */
  of(key: string): readonly EncodedHost[] {
    return this.#hosts.get(key) ?? [];
  }

  #sharedDomains(removed: ReadonlySet<EncodedHost>, added: readonly EncodedHost[]): string[] {
    const leaving = new Set([...removed].map(({ name }) => name));
    const taken = new Map<string, string>();
    return added.flatMap(({ name, domains }) =>
      domains.flatMap((domain) => {
        const kept = this.#domains.get(domain);
        const owner = taken.get(domain) ?? (kept !== undefined && leaving.has(kept) ? undefined : kept);
        taken.set(domain, name);
        return owner === undefined ? [] : [`${domain} belongs to ${owner} and to ${name}`];
      }),
    );
  }
}

/** The route configuration of staged hosts. */
export function stagedRoutes(name: string, { sorted }: StagedHosts): XdsResource {
  return routeConfiguration(name, sorted);
}

/** Routes that lead nowhere: of the changed hosts, and of all of them once a cluster goes. */
export function strayRoutes(staged: StagedHosts, exists: (cluster: string) => boolean, anyGone: boolean): string[] {
  return danglingRoutes(anyGone ? staged.sorted : [...staged.changes.values()].flat(), exists);
}

function byName(a: EncodedHost, b: EncodedHost): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Two sorted lists as one, without what was removed. */
function merged(kept: readonly EncodedHost[], removed: ReadonlySet<EncodedHost>, added: readonly EncodedHost[]): EncodedHost[] {
  const result: EncodedHost[] = [];
  let next = 0;
  for (const host of kept) {
    if (removed.has(host)) continue;
    for (let one = added[next]; one !== undefined && byName(one, host) < 0; one = added[next]) {
      result.push(one);
      next += 1;
    }
    result.push(host);
  }
  result.push(...added.slice(next));
  return result;
}
