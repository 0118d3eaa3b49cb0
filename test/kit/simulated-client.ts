/**
 * Simulated xDS clients, delta and state of the world, written from the protocol's text (xds_protocol.rst) and not from the
 * server: what a client asks for, what it knows, how it answers. Messages wait in queues until a test delivers them.
 */
import type { DeltaRequest } from '@hawser/agent/xds/delta-request.ts';
import type { SotwRequest } from '@hawser/agent/xds/sotw-request.ts';
import type { XdsType } from '@hawser/wire/messages.ts';

/** A resource as a client gets it; `good` is whether it will take it. */
export interface SeenResource {
  readonly name: string;
  readonly version: string;
  readonly good: boolean;
  /** Names in its content: the clusters of a route. */
  readonly names: readonly string[];
}

/** A response on its way to the client; `version` is that of a state-of-the-world response. */
export interface SeenResponse {
  readonly type: XdsType;
  readonly nonce: string;
  readonly version: string;
  readonly resources: readonly SeenResource[];
  readonly removed: readonly string[];
}

/** How a client refuses a response with something bad in it: nothing of it is taken, or all but the bad. */
export type Strictness = 'whole' | 'parts';

/** A simulated client's habits. */
export interface Habits {
  readonly strictness: Strictness;
  /** Asks for everything by naming nothing, as long as nothing was named on the stream. */
  readonly legacy: boolean;
  /**
   * Warms clusters as Envoy does: a cluster that is new or changed waits for the next response with its endpoints, whatever it
   * had of them; until then, clusters are neither acknowledged nor, on a new stream, asked for.
   */
  readonly warms?: boolean;
}

/** What a client has of one type. */
export class ClientType {
  /** What is asked for; `*` is everything. */
  readonly names = new Set<string>();
  readonly known = new Map<string, SeenResource>();
  /** Whether this stream carried a request of the type, and one with names. */
  asked = false;
  named = false;
  version = '';
  nonce = '';

  covers(name: string): boolean {
    return this.names.has('*') || this.names.has(name);
  }
}

/** What both clients do. */
export abstract class SimulatedClient<Request> {
  readonly types = new Map<XdsType, ClientType>();
  readonly toServer: { readonly type: XdsType; readonly request: Request }[] = [];
  protected readonly habits: Habits;
  /** Clusters that wait for endpoints. */
  readonly warming = new Set<string>();
  /** Clusters that were taken, name → version. */
  readonly #clusters = new Map<string, string>();
  /** What is sent of clusters when none is warming any more. */
  #whenWarm: (() => void) | undefined;

  constructor(habits: Habits) {
    this.habits = habits;
  }

  of(type: XdsType): ClientType {
    const state = this.types.get(type) ?? new ClientType();
    this.types.set(type, state);
    return state;
  }

  /** Asks for one name more, or one less. */
  abstract change(type: XdsType, kind: 'subscribe' | 'unsubscribe', name: string): void;

  /** Opens a new stream and asks for everything again; what was under way is lost. */
  reconnect(): void {
    this.toServer.length = 0;
    this.#whenWarm = undefined;
    for (const [type, state] of this.types) {
      if (type === 'CDS' && this.warming.size > 0) this.#whenWarm = () => this.reopen(type, state);
      else this.reopen(type, state);
    }
  }

  /** Takes a response in and answers it. */
  receive(response: SeenResponse): void {
    const state = this.of(response.type);
    const bad = response.resources.filter((resource) => !resource.good && state.covers(resource.name));
    if (bad.length === 0 || this.habits.strictness === 'parts') this.apply(state, response);
    if (this.habits.warms === true) this.#warm(response);
    const answer = (): void => this.answer(response, bad.length === 0 ? undefined : `bad: ${bad.map(({ name }) => name).join(', ')}`);
    if (response.type === 'CDS' && this.warming.size > 0) this.#whenWarm = answer;
    else answer();
    if (this.warming.size > 0) return;
    this.#whenWarm?.();
    this.#whenWarm = undefined;
  }

  /** Asks for what it wants of one type on a new stream. */
  protected abstract reopen(type: XdsType, state: ClientType): void;

  #warm({ type, resources, removed }: SeenResponse): void {
    if (type === 'EDS') for (const name of [...resources.map((resource) => resource.name), ...removed]) this.warming.delete(name);
    if (type !== 'CDS') return;
    const clusters = this.of('CDS').known;
    for (const name of [...this.#clusters.keys()]) {
      if (clusters.has(name)) continue;
      for (const names of [this.#clusters, this.warming]) names.delete(name);
      this.change('EDS', 'unsubscribe', name);
    }
    for (const [name, { version }] of clusters) {
      const before = this.#clusters.get(name);
      if (before === version) continue;
      this.#clusters.set(name, version);
      this.warming.add(name);
      if (before === undefined) this.change('EDS', 'subscribe', name);
    }
  }

  protected abstract apply(state: ClientType, response: SeenResponse): void;

  protected abstract answer(response: SeenResponse, error: string | undefined): void;

  /** Whether everything is asked for by naming nothing. */
  protected isLegacy(state: ClientType): boolean {
    return this.habits.legacy && !state.named && state.names.size === 1 && state.names.has('*');
  }

  protected take(state: ClientType, resources: readonly SeenResource[]): void {
    for (const resource of resources) if (resource.good && state.covers(resource.name)) state.known.set(resource.name, resource);
  }

  protected forget(state: ClientType): void {
    for (const name of state.known.keys()) if (!state.covers(name)) state.known.delete(name);
  }
}

const NO_CHANGE = { subscribe: [], unsubscribe: [], initialVersions: new Map<string, string>(), nonce: '', error: undefined };

/** A client of incremental xDS. */
export class DeltaClient extends SimulatedClient<DeltaRequest> {
  change(type: XdsType, kind: 'subscribe' | 'unsubscribe', name: string): void {
    const state = this.of(type);
    if (kind === 'subscribe') state.names.add(name);
    else if (!state.names.delete(name)) return;
    this.forget(state);
    const silently = name === '*' && !state.asked && this.isLegacy(state);
    state.asked = true;
    this.toServer.push({ type, request: silently ? NO_CHANGE : { ...NO_CHANGE, [kind]: [name] } });
  }

  protected reopen(type: XdsType, state: ClientType): void {
    state.asked = state.names.size > 0;
    if (!state.asked) return;
    const initialVersions = new Map([...state.known].map(([name, { version }]) => [name, version]));
    const subscribe = this.isLegacy(state) ? [] : [...state.names];
    this.toServer.push({ type, request: { ...NO_CHANGE, subscribe, initialVersions } });
  }

  protected apply(state: ClientType, response: SeenResponse): void {
    this.take(state, response.resources);
    for (const name of response.removed) state.known.delete(name);
  }

  protected answer({ type, nonce }: SeenResponse, error: string | undefined): void {
    this.toServer.push({ type, request: { ...NO_CHANGE, nonce, error } });
  }
}

/** A client of state-of-the-world xDS. */
export class SotwClient extends SimulatedClient<SotwRequest> {
  change(type: XdsType, kind: 'subscribe' | 'unsubscribe', name: string): void {
    const state = this.of(type);
    // Who asked for everything by naming nothing cannot take it back: naming nothing still means everything.
    if (kind === 'unsubscribe' && this.isLegacy(state)) return;
    if (kind === 'subscribe') state.names.add(name);
    else if (!state.names.delete(name)) return;
    this.forget(state);
    this.#send(type, undefined);
  }

  protected reopen(type: XdsType, state: ClientType): void {
    state.nonce = '';
    state.asked = false;
    state.named = false;
    if (state.names.size > 0) this.#send(type, undefined);
  }

  protected apply(state: ClientType, { type, resources }: SeenResponse): void {
    this.take(state, resources);
    if (type !== 'CDS' && type !== 'LDS') return;
    const present = new Set(resources.map(({ name }) => name));
    for (const name of state.known.keys()) if (!present.has(name)) state.known.delete(name);
  }

  protected answer({ type, nonce, version }: SeenResponse, error: string | undefined): void {
    const state = this.of(type);
    state.nonce = nonce;
    if (error === undefined) state.version = version;
    this.#send(type, error);
  }

  #send(type: XdsType, error: string | undefined): void {
    const state = this.of(type);
    const { version, nonce } = state;
    const names = this.isLegacy(state) ? [] : [...state.names];
    state.asked = true;
    state.named ||= names.length > 0;
    this.toServer.push({ type, request: { names, version, nonce, error } });
  }
}
