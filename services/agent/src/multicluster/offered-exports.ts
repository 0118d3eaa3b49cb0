/** What all clusters together offer of each service, as this cluster may import it; looked at anew where shards or members differ. */
import { exportFactsOf } from '@hawser/model/endpoint-shard.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import { type ClusterExport, type MergedImport, mergedExports } from '@hawser/model/multicluster/merge-exports.ts';
import { clustersetHost, parseServiceKey } from '@hawser/model/service-host.ts';
import type { World } from '../state/world.ts';

/** Where the offers come from. */
export interface OfferSources {
  readonly world: () => Pick<World, 'self' | 'shards'>;
  readonly members: () => readonly RosterMember[];
  /** Whether everything of this other cluster was heard once in this life. */
  readonly isHeard: (cluster: string) => boolean;
}

/** What was offered of one service when it was looked at last. */
export interface Offered {
  readonly shards: ReadonlyMap<string, unknown> | undefined;
  readonly text: string;
  readonly exports: readonly ClusterExport[];
  readonly merged: MergedImport | undefined;
}

const NOTHING: Offered = { shards: undefined, text: '[]', exports: [], merged: undefined };

/** Remembers what was offered, so that only what differs is judged. */
export class OfferedExports {
  readonly #sources: OfferSources;
  readonly #offered = new Map<string, Offered>();
  #unknown: ReadonlySet<string> = new Set();
  #fleet = '';

  constructor(sources: OfferSources) {
    this.#sources = sources;
  }

  /** Members of whom not everything was heard yet. */
  get unknown(): ReadonlySet<string> {
    return this.#unknown;
  }

  of(key: string): Offered {
    return this.#offered.get(key) ?? NOTHING;
  }

  /** Keys of services that some cluster told of, exported or not. */
  keys(): readonly string[] {
    return [...this.#offered.keys()];
  }

  /** Keys of services that are imported. */
  imported(): readonly string[] {
    return this.keys().filter((key) => this.of(key).merged !== undefined);
  }

  /** Hosts of those that have an address. */
  addressedHosts(): readonly string[] {
    return this.keys()
      .filter((key) => this.of(key).merged?.spec.type === 'ClusterSetIP')
      .map((key) => clustersetHost(parseServiceKey(key)));
  }

  /** Whether the own cluster may export what is in this namespace, by the hub's word. */
  isAllowed(namespace: string): boolean {
    const { self } = this.#sources.world();
    const own = this.#sources.members().find(({ name }) => name === self);
    return own?.exportNamespaces?.includes(namespace) !== false;
  }

  /** Whether members, what they may export, or of whom everything is known, are others than at the last call. */
  fleetDiffers(): boolean {
    const { self } = this.#sources.world();
    const members = this.#sources.members();
    this.#unknown = new Set(members.map(({ name }) => name).filter((name) => name !== self && !this.#sources.isHeard(name)));
    const known = members.map(({ name, exportNamespaces, network }) => [name, exportNamespaces, network]);
    const fleet = JSON.stringify([known, [...this.#unknown]]);
    if (fleet === this.#fleet) return false;
    this.#fleet = fleet;
    return true;
  }

  /** Keys of services of which something else is offered than at the last call, and of those of which at least endpoints differ. */
  differing(): { readonly reoffered: readonly string[]; readonly moved: readonly string[] } {
    const { shards } = this.#sources.world();
    const gone = this.keys().filter((key) => !shards.has(key));
    const [reoffered, moved]: [string[], string[]] = [[], []];
    for (const key of [...shards.keys(), ...gone]) {
      const before = this.of(key);
      const now = shards.get(key);
      if (before.shards === now && before !== NOTHING) continue;
      const exports = this.#exportsOf(key);
      const text = JSON.stringify(exports);
      const isSame = text === before.text;
      (isSame ? moved : reoffered).push(key);
      if (now === undefined) this.#offered.delete(key);
      else this.#offered.set(key, { shards: now, exports, text, merged: isSame ? before.merged : mergedExports(exports) });
    }
    return { reoffered, moved };
  }

  #exportsOf(key: string): ClusterExport[] {
    const { shards, self } = this.#sources.world();
    return [...(shards.get(key) ?? [])].flatMap(([cluster, shard]) =>
      shard.exported && (cluster !== self || this.isAllowed(shard.namespace)) ? [{ cluster, facts: exportFactsOf(shard) }] : [],
    );
  }
}
