/**
 * A served state, one stream's state machine and a simulated client, joined by queues that a test empties step by step. Each
 * response is checked against the rules that hold at any moment; what must hold in the end is the test's to check.
 */
import type { XdsResource } from '@hawser/agent/snapshot/resource.ts';
import type { DeltaRequest } from '@hawser/agent/xds/delta-request.ts';
import { DeltaStream } from '@hawser/agent/xds/delta-stream.ts';
import { namedIn } from '@hawser/agent/xds/named-in.ts';
import type { SotwRequest } from '@hawser/agent/xds/sotw-request.ts';
import { SotwStream } from '@hawser/agent/xds/sotw-stream.ts';
import type { StreamMachine } from '@hawser/agent/xds/stream-machine.ts';
import type { XdsType } from '@hawser/wire/messages.ts';
import { ServedView } from './served-view.ts';
import { DeltaClient, type Habits, type SeenResource, type SeenResponse, type SimulatedClient, SotwClient } from './simulated-client.ts';

/** The order in which changes of one moment must go out (RELIABILITY.md 2.1). */
export const ORDER: readonly XdsType[] = ['CDS', 'EDS', 'SDS', 'LDS', 'RDS'];

/** A name in a resource's content that marks it as one which the client refuses. */
const BAD = 'this-is-refused';

/** Everything, because nothing was ever named. */
const LEGACY: ReadonlySet<string> = new Set('*');

/** One variant's machine and client, behind one face. */
interface Variant<Request> {
  readonly client: SimulatedClient<Request>;
  connect(view: ServedView, silent: boolean): { readonly machine: StreamMachine<Request>; next(now: number): SeenResponse | undefined };
  /** Names that the server is asked for after the request; undefined when the request is stale and asks nothing. */
  asks(request: Request, before: ReadonlySet<string> | undefined, lastNonce: string | undefined): ReadonlySet<string> | undefined;
  nonceOf(request: Request): string;
}

export class StreamSimulation<Request> {
  readonly view = new ServedView();
  readonly client: SimulatedClient<Request>;
  readonly #variant: Variant<Request>;
  #stream: ReturnType<Variant<Request>['connect']>;
  readonly #toClient: SeenResponse[] = [];
  readonly #asked = new Map<XdsType, ReadonlySet<string>>();
  readonly #unanswered = new Map<XdsType, string>();
  readonly #lastNonce = new Map<XdsType, string>();
  readonly #nonces = new Set<string>();
  /** Content of the last response of each type. */
  readonly #sent = new Map<XdsType, ReadonlySet<string>>();
  #version = 0;
  #silent = false;
  now = 0;
  /** The client does not read: nothing more is written. */
  slow = false;

  constructor(variant: Variant<Request>) {
    this.#variant = variant;
    this.client = variant.client;
    this.#stream = variant.connect(this.view, false);
  }

  get machine(): StreamMachine<Request> {
    return this.#stream.machine;
  }

  /** Puts or removes resources, all at once. `names` are what the content names. */
  change(changes: readonly { type: XdsType; name: string; remove?: boolean; bad?: boolean; names?: readonly string[] }[]): void {
    const words = changes.map(({ type, name, remove, bad, names = [] }) => {
      this.#version += 1;
      return remove === true ? `-${type} ${name}` : [`${type} ${name}`, this.#version, ...names, ...(bad === true ? [BAD] : [])].join('@');
    });
    for (const { type, name } of this.view.change(words)) this.machine.changed(type, name);
    this.write();
  }

  /** The server takes in what the client sent first; false when nothing is under way. */
  deliverToServer(): boolean {
    const message = this.client.toServer.shift();
    if (message === undefined) return false;
    const { type, request } = message;
    const lastNonce = this.#lastNonce.get(type);
    const asked = this.#variant.asks(request, this.#asked.get(type), lastNonce);
    if (asked !== undefined) this.#asked.set(type, asked);
    const nonce = this.#variant.nonceOf(request);
    if (nonce !== '' && this.#unanswered.get(type) === nonce) this.#unanswered.delete(type);
    this.machine.request(type, request);
    this.write();
    return true;
  }

  deliverToClient(): boolean {
    const response = this.#toClient.shift();
    if (response !== undefined) this.client.receive(response);
    return response !== undefined;
  }

  /** The client comes back; to an agent that is `silent`, because it does not know everything yet, until `speak`. */
  reconnect({ silent = false } = {}): void {
    this.#silent = silent;
    this.#toClient.length = 0;
    for (const state of [this.#asked, this.#unanswered, this.#lastNonce, this.#nonces]) state.clear();
    this.#stream = this.#variant.connect(this.view, silent);
    this.client.reconnect();
  }

  speak(): void {
    this.#silent = false;
    this.machine.speak();
    this.write();
  }

  /** Lets everything arrive, in no time. */
  arrive(): void {
    this.write();
    while (this.deliverToClient() || this.deliverToServer());
  }

  /** Lets everything arrive and all holds run out. */
  settle(): void {
    this.slow = false;
    if (this.#silent) this.speak();
    for (let quiet = 0; quiet < 3; ) {
      this.write();
      const moved = this.deliverToClient() || this.deliverToServer();
      quiet = moved ? 0 : quiet + 1;
      if (!moved) this.now += 10_000;
    }
  }

  write(): void {
    let reached = 0;
    for (let response = this.#next(); response !== undefined; response = this.#next()) {
      this.#check(response);
      const at = ORDER.indexOf(response.type);
      if (this.#adds(response)) {
        // A changed listener is followed by its secrets, whatever went before it.
        const follows = response.type === 'SDS' && ORDER[reached] === 'LDS';
        if (at < reached && !follows) throw new Error(`${response.type} after ${ORDER[reached]} in one batch`);
        reached = Math.max(at, reached);
      }
      this.#toClient.push(response);
    }
  }

  /** Whether a response only adds or changes: removals come after everything else, also those told by absence. */
  #adds({ type, resources, removed }: SeenResponse): boolean {
    const before = this.#sent.get(type);
    const now = new Set(resources.map(({ name, version }) => `${name}@${version}`));
    this.#sent.set(type, now);
    return removed.length === 0 && resources.length > 0 && !(before !== undefined && now.isSubsetOf(before));
  }

  #next(): SeenResponse | undefined {
    return this.slow ? undefined : this.#stream.next(this.now);
  }

  #check({ type, nonce, resources }: SeenResponse): void {
    if (this.#silent) throw new Error(`${type} from a silent agent`);
    if (this.#unanswered.has(type)) throw new Error(`two responses of ${type} in flight`);
    if (this.#nonces.has(nonce)) throw new Error(`nonce ${nonce} came twice`);
    this.#nonces.add(nonce);
    this.#unanswered.set(type, nonce);
    this.#lastNonce.set(type, nonce);
    const names = resources.map(({ name }) => name);
    if (new Set(names).size !== names.length) throw new Error(`${type} ${names.join()} holds a name twice`);
    const asked = this.#asked.get(type) ?? new Set();
    const unasked = names.filter((name) => !asked.has('*') && !asked.has(name));
    if (unasked.length > 0) throw new Error(`${type} ${unasked.join()} came unasked`);
  }
}

/** Whether clients refuse the resource. */
export function isBad(resource: XdsResource): boolean {
  return namedIn(resource).has(BAD);
}

function seen(resource: XdsResource): SeenResource {
  const names = [...namedIn(resource)];
  return { name: resource.name, version: resource.version, good: !names.includes(BAD), names: names.filter((name) => name !== BAD) };
}

/** A simulation that speaks delta. */
export function deltaSimulation(habits: Habits): StreamSimulation<DeltaRequest> {
  return new StreamSimulation({
    client: new DeltaClient(habits),
    connect: (view, silent) => {
      const machine = new DeltaStream(view, { silent });
      const next = (now: number): SeenResponse | undefined => {
        const taken = machine.next(now);
        return taken === undefined ? undefined : { ...taken, version: '', resources: taken.resources.map(seen) };
      };
      return { machine, next };
    },
    asks: ({ subscribe, unsubscribe }, before) => {
      // Who names nothing at first asks for everything.
      if (before === undefined && subscribe.length + unsubscribe.length === 0) return new Set('*');
      return new Set([...[...(before ?? [])].filter((name) => !unsubscribe.includes(name)), ...subscribe]);
    },
    nonceOf: (request) => request.nonce,
  });
}

/** A simulation that speaks state of the world. */
export function sotwSimulation(habits: Habits): StreamSimulation<SotwRequest> {
  return new StreamSimulation({
    client: new SotwClient(habits),
    connect: (view, silent) => {
      const machine = new SotwStream(view, { silent });
      const next = (now: number): SeenResponse | undefined => {
        const response = machine.next(now);
        return response === undefined ? undefined : { ...response, resources: Array.from(response.resources, seen), removed: [] };
      };
      return { machine, next };
    },
    asks: ({ names, nonce }, before, lastNonce) => {
      if (lastNonce !== undefined && nonce !== lastNonce) return undefined;
      const legacy = names.length === 0 && (before === undefined || before === LEGACY);
      return legacy ? LEGACY : new Set(names);
    },
    nonceOf: (request) => request.nonce,
  });
}
