/** What a state-of-the-world client's requests of one type mean in terms of the delta protocol. Pure. */
import type { XdsType } from '@hawser/wire/messages.ts';
import { UNKNOWN } from './client-versions.ts';
import type { DeltaRequest } from './delta-request.ts';
import { OfferedSet } from './offered-set.ts';
import type { ResourceView } from './resource-view.ts';
import type { SotwRequest } from './sotw-request.ts';
import { VersionTable } from './version-table.ts';

/** Types of which every response is the whole set, and absence is deletion (xds_protocol, "SotW"). */
export const WHOLE_TYPES: ReadonlySet<XdsType> = new Set(['CDS', 'LDS']);

/** The version of an empty set; an empty text would say that the client has none. */
const NOTHING = 'none';

/** The version that a digest of names and versions stands for on the wire. */
export function sotwVersion(digest: string): string {
  return digest === '' ? NOTHING : digest;
}

/** One type on one stream. */
export class SotwSubscription {
  readonly type: XdsType;
  /** For types that are told whole. */
  readonly offered: OfferedSet | undefined;
  readonly #view: ResourceView;
  #asked: readonly string[] = [];
  #named: ReadonlySet<string> = new Set();
  #started = false;
  #everNamed = false;
  /** Nonce of the latest response; undefined before the first. */
  #nonce: string | undefined;
  #unread = '';
  /** Names that a stale request left out: if they are asked for again, the client may have dropped what it had of them. */
  readonly #dropped = new Set<string>();

  constructor(type: XdsType, view: ResourceView) {
    this.type = type;
    this.#view = view;
    this.offered = WHOLE_TYPES.has(type) ? new OfferedSet() : undefined;
  }

  /** A response went out. */
  sent(nonce: string): void {
    this.#nonce = nonce;
  }

  /**
   * Whether the request was made before the latest response was read: another follows, with what it wants then. It is not
   * answered, but what it no longer asks for is noted.
   */
  isStale(request: SotwRequest): boolean {
    if (this.#nonce === undefined || request.nonce === this.#nonce) return false;
    this.#noteDropped(request.names);
    return true;
  }

  /**
   * The same request in delta's terms: names added and dropped, and in the first one what the client has. What that is can
   * only be told by an agent that knows everything; before, the version is kept for `readClaims`.
   */
  toDelta(request: SotwRequest, silent: boolean): DeltaRequest {
    const first = !this.#started;
    this.#started = true;
    const { nonce, error } = request;
    if (!first && this.#dropped.size === 0 && this.#asksAsBefore(request.names))
      return { subscribe: [], unsubscribe: [], initialVersions: new Map(), nonce, error };
    this.#asked = request.names;
    this.#everNamed ||= request.names.length > 0;
    const legacyWildcard = WHOLE_TYPES.has(this.type) && !this.#everNamed;
    const named = new Set(legacyWildcard ? ['*'] : request.names);
    const subscribe = [...named].filter((name) => !this.#named.has(name) || this.#dropped.has(name));
    const unsubscribe = [...this.#named].filter((name) => !named.has(name));
    this.#named = named;
    this.#dropped.clear();
    if (first && silent) this.#unread = request.version;
    const initialVersions = first && !silent ? this.#claims(request.version) : new Map<string, string>();
    return { subscribe, unsubscribe, initialVersions, nonce, error };
  }

  /** What the client has, by the version of a first request that came too early. */
  readClaims(): ReadonlyMap<string, string> {
    const version = this.#unread;
    this.#unread = '';
    return this.#claims(version);
  }

  #asksAsBefore(names: readonly string[]): boolean {
    return names === this.#asked || (names.length === 0 && this.#asked.length === 0);
  }

  /** Who names nothing asks for nothing, or as before for everything: neither drops a name in order to ask for it again. */
  #noteDropped(names: readonly string[]): void {
    if (this.#asksAsBefore(names)) return;
    const named = new Set(names);
    for (const name of this.#named) if (!named.has(name)) this.#dropped.add(name);
  }

  /**
   * What a client with this version has: the version stands for a whole set, so it is what is served now, or nobody knows.
   * Secrets and routes are few, and told again in any case.
   */
  #claims(version: string): Map<string, string> {
    if (version === '' || this.type === 'SDS' || this.type === 'RDS') return new Map();
    const wanted = this.#named.has('*') ? new Set(this.#view.names(this.type)) : this.#named;
    const resources = [...wanted].map((name) => this.#view.get(this.type, name)).filter((resource) => resource !== undefined);
    const served = new VersionTable();
    for (const { name, version: of } of resources) served.set(name, of);
    if (sotwVersion(served.digest) === version) {
      this.offered?.claim(resources);
      return new Map(resources.map((resource) => [resource.name, resource.version]));
    }
    if (this.offered === undefined) return new Map();
    this.offered.claimUnknown();
    return new Map(resources.map(({ name }) => [name, UNKNOWN]));
  }
}
