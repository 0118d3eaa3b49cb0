/**
 * Adds up what the proxies of an agent counted. A proxy's counts begin anew when its process does; the ledger's never do, so that
 * whoever hears two of its sums knows what happened in between. No clock, no I/O.
 */
import { OVERFLOW } from '@hawser/model/measured-traffic.ts';
import { COUNTS, type Counts, type ProxyCounts } from './proxy-counts.ts';

/** What is kept over a restart. */
export interface SavedLedger {
  readonly instance: string;
  /** When it began, ms. */
  readonly began: number;
  readonly totals: readonly (readonly [key: string, counts: Counts])[];
  readonly proxies: readonly (readonly [proxy: string, uptime: number, series: readonly (readonly [key: string, counts: Counts])[]])[];
}

/** A reading of a proxy that is not known: how its counts up to now are to be taken. */
export type Beginning =
  /** Nobody counted them. */
  | 'count'
  /** They may have been counted elsewhere. */
  | 'skip';

interface KnownProxy {
  readonly uptime: number;
  readonly series: ReadonlyMap<string, Counts>;
}

/** Series that are told apart; beyond it versions are not, and beyond a quarter more nothing is. */
export const MOST_SERIES = 1_000;
/** Proxies that are remembered while they are away. */
const MOST_PROXIES = 5_000;

const MOST_KEYS = 50_000;

/** Where a cluster is; both empty when that is not known. */
export interface Place {
  readonly region: string;
  readonly zone: string;
}

/** What a ledger may be told. */
export interface LedgerOptions {
  /** Series that are told apart. */
  readonly most?: number;
  /** Where a cluster is now: its requests are counted there, and stay there should it move. */
  readonly placeOf?: (cluster: string) => Place;
}

/** The sums, and what each proxy said last. */
export class TrafficLedger {
  readonly instance: string;
  /** When it began, ms. */
  readonly began: number;
  readonly #most: number;
  readonly #placeOf: (cluster: string) => Place;
  readonly #totals = new Map<string, Counts>();
  readonly #proxies = new Map<string, KnownProxy>();
  /** By key: the one that it is folded into. */
  readonly #keys = new Map<string, string>();
  #changed = new Set<string>();
  #version = 0;

  constructor(fresh: Pick<SavedLedger, 'instance' | 'began'>, saved?: SavedLedger, options: LedgerOptions = {}) {
    this.#most = options.most ?? MOST_SERIES;
    this.#placeOf = options.placeOf ?? (() => ({ region: '', zone: '' }));
    this.instance = (saved ?? fresh).instance;
    this.began = (saved ?? fresh).began;
    for (const [key, counts] of saved?.totals ?? []) this.#totals.set(key, [...counts]);
    for (const [proxy, uptime, series] of saved?.proxies ?? []) this.#proxies.set(proxy, { uptime, series: new Map(series) });
  }

  /** Takes a proxy's reading. */
  take(proxy: string, { uptime, series }: ProxyCounts, beginning: Beginning): void {
    const before = this.#proxies.get(proxy);
    const same = before !== undefined && uptime >= before.uptime ? before.series : undefined;
    const isSkipped = before === undefined && beginning === 'skip';
    if (!isSkipped) for (const [key, counts] of series) this.#add(key, counts, same?.get(key));
    if (before === undefined) this.#version += 1;
    this.#proxies.delete(proxy);
    this.#proxies.set(proxy, { uptime, series });
    if (this.#proxies.size > MOST_PROXIES) this.#proxies.delete([...this.#proxies.keys()][0] ?? '');
  }

  /** Others may count the proxy from now on. */
  forget(proxy: string): void {
    this.#proxies.delete(proxy);
  }

  /** Sums by `SERVICE|CLUSTER|REGION|ZONE|VERSION`, since the instance began. */
  get totals(): ReadonlyMap<string, Counts> {
    return this.#totals;
  }

  /** The key that a proxy's is counted under. */
  keyOf(proxyKey: string): string {
    const [service = '', cluster = '', version = ''] = proxyKey.split('|');
    const { region, zone } = this.#placeOf(cluster);
    const key = [service, cluster, region, zone, version].join('|');
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    if (this.#keys.size >= MOST_KEYS) this.#keys.clear();
    const folded = this.#folded(key);
    this.#keys.set(key, folded);
    return folded;
  }

  /** Keys whose sums differ since this was asked last. */
  takeChanged(): ReadonlySet<string> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  /** Rises with every count and every proxy that is new: what was saved is old. */
  get version(): number {
    return this.#version;
  }

  saved(): SavedLedger {
    return {
      ...{ instance: this.instance, began: this.began },
      totals: [...this.#totals],
      proxies: [...this.#proxies].map(([proxy, { uptime, series }]) => [proxy, uptime, [...series]]),
    };
  }

  #add(key: string, counts: Counts, before: Counts | undefined): void {
    // A sum that fell is of another process: all of it is new.
    const since = before?.every((count, place) => count <= (counts[place] ?? 0)) === true ? before : undefined;
    if (counts.every((count, place) => count === (since?.[place] ?? 0))) return;
    const under = this.keyOf(key);
    const totals = this.#totals.get(under) ?? Array.from({ length: COUNTS }, () => 0);
    for (const [place, count] of counts.entries()) totals[place] = (totals[place] ?? 0) + count - (since?.[place] ?? 0);
    this.#totals.set(under, totals);
    this.#changed.add(under);
    this.#version += 1;
  }

  #folded(key: string): string {
    const isRoom = (most: number, wanted: string): boolean => this.#totals.has(wanted) || this.#totals.size < most;
    if (isRoom(this.#most, key)) return key;
    const anyVersion = [...key.split('|').slice(0, -1), OVERFLOW].join('|');
    if (isRoom(this.#most * 1.25, anyVersion)) return anyVersion;
    return `${OVERFLOW}||||`;
  }
}
