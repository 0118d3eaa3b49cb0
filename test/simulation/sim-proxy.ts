/** A delta xDS client that behaves as Envoy does, on the product's stream; what it holds is compared with what is served. */
import { fromBinary } from '@bufbuild/protobuf';
import { keysOf, ownLayer, type XdsResource } from '@hawser/agent/snapshot/resource.ts';
import type { DeltaRequest } from '@hawser/agent/xds/delta-request.ts';
import { type DialectMachine, deltaDialect } from '@hawser/agent/xds/dialect.ts';
import { bytesOf, type FramedMessage, unframed } from '@hawser/agent/xds/framed-messages.ts';
import { namedIn } from '@hawser/agent/xds/named-in.ts';
import { OutboundBudget } from '@hawser/agent/xds/outbound-budget.ts';
import { type AdsCall, ProxyStream } from '@hawser/agent/xds/proxy-stream.ts';
import { proxyView } from '@hawser/agent/xds/resource-view.ts';
import { typeOfUrl } from '@hawser/agent/xds/type-urls.ts';
import type { XdsType } from '@hawser/wire/messages.ts';
import { DeltaDiscoveryResponseSchema } from '@hawser/xds/generated/envoy/service/discovery/v3/discovery_pb.ts';
import { Breach, type Checks } from './checks.ts';
import type { Random } from './random.ts';
import type { SimAgent } from './sim-agent.ts';
import type { Actor, VirtualTime } from './virtual-time.ts';

const TYPES: readonly XdsType[] = ['CDS', 'EDS', 'SDS', 'LDS', 'RDS'];
const IDENTITY: XdsResource = { type: 'SDS', name: 'identity', version: '0', bytes: new Uint8Array() };

/** Addresses of the simulated clusters' endpoints, in clear in what is encoded. */
const ENDPOINT = /\b10\.\d+\.\d+\.\d+/g;

/** Its own stream's state. */
interface Session {
  readonly agent: SimAgent;
  readonly stream: ProxyStream;
  readonly machine: DialectMachine<DeltaRequest>;
  readonly life: number;
  readonly asked: Map<XdsType, Set<string>>;
  readonly nonces: Set<string>;
  /** Addresses that it gave of each service. */
  readonly given: Map<string, ReadonlySet<string>>;
  drain: (() => void) | undefined;
  close(): void;
}

/** Whose it is, and who watches it. */
export interface ProxyParts {
  readonly cluster: string;
  readonly agents: readonly SimAgent[];
  readonly address: string;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly checks: Checks;
}

/** One proxy of a cluster. */
export class SimProxy {
  readonly actor: Actor;
  readonly address: string;
  /** Chance of refusing one resource of a response. */
  refuses = 0;
  /** Does not read what it is sent. */
  stalled = false;
  readonly held = new Map<XdsType, Map<string, string>>(TYPES.map((type) => [type, new Map()]));
  readonly #agents: readonly SimAgent[];
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #checks: Checks;
  #session: Session | undefined;

  constructor(parts: ProxyParts) {
    this.#agents = parts.agents;
    this.address = parts.address;
    this.#time = parts.time;
    this.#random = parts.random;
    this.#checks = parts.checks;
    this.actor = { name: `proxy-${parts.cluster}`, life: 0, paused: false };
    this.#retry(10);
  }

  /** Ends the stream; the client opens another soon. */
  disconnect(): void {
    this.#session?.close();
    this.#session = undefined;
  }

  setStalled(stalled: boolean): void {
    this.stalled = stalled;
    const session = this.#session;
    if (stalled || session === undefined) return;
    const { drain } = session;
    this.#time.plan(this.actor, 1, () => {
      for (const message of this.#unread.splice(0)) if (this.#session === session) this.#take(session, message);
    });
    if (drain === undefined) return;
    session.drain = undefined;
    this.#time.plan(session.agent.actor, 1, drain);
  }

  /** What differs between what it holds and what its agent serves; empty when nothing does. */
  differences(): string[] {
    const session = this.#session;
    if (session === undefined) return ['not connected'];
    const { view } = session.stream;
    return TYPES.flatMap((type) => {
      const held = this.held.get(type) ?? new Map<string, string>();
      const wanted = type === 'CDS' || type === 'LDS' ? [...view.names(type)] : this.#children(type);
      const missing = wanted.filter((name) => view.get(type, name)?.version !== held.get(name));
      const surplus = [...held.keys()].filter((name) => !wanted.includes(name) && (type === 'CDS' || type === 'LDS'));
      return [...missing.map((name) => `${type} ${name} differs`), ...surplus.map((name) => `${type} ${name} is too many`)];
    });
  }

  #retry(afterMs: number): void {
    this.#time.plan(this.actor, afterMs, () => {
      this.#retry(this.#random.between(50, 1_000));
      const session = this.#session;
      if (session !== undefined && session.life === session.agent.actor.life) return;
      this.#session = undefined;
      const reachable = this.#agents.filter(({ actor, life }) => life !== undefined && !actor.paused);
      if (reachable.length > 0) this.#connect(this.#random.pick(reachable));
    });
  }

  #connect(agent: SimAgent): void {
    const { life, actor } = agent;
    if (life === undefined) return;
    let session: Session | undefined;
    const pieces = new Pieces();
    const call = {
      write: (piece: Buffer): boolean => {
        const mine = session;
        const message = pieces.put(piece);
        if (message === undefined) return !this.stalled;
        this.#time.plan(this.actor, 0.2 + this.#random.float() * 5, () => {
          if (mine !== undefined && this.#session === mine && !this.stalled) this.#take(mine, message);
          else if (mine !== undefined && this.#session === mine) this.#unread.push(message);
        });
        return !this.stalled;
      },
      once: (_event: string, callback: () => void): void => {
        if (session !== undefined) session.drain = callback;
      },
    };
    this.#unread = [];
    this.#time.as(actor, () => {
      const claims = { name: this.actor.name, namespace: 'shop', serviceAccount: 'client', labels: {} };
      const proxy = { ...claims, role: 'sidecar' as const, address: this.address };
      life.loop.attach(proxy);
      const view = proxyView({ store: life.store, sets: life.sets, own: ownLayer(proxy), identity: () => IDENTITY });
      const machine = deltaDialect().open(view, { silent: !life.loop.ready });
      const events = { sent: () => undefined, asked: () => undefined };
      const budget = new OutboundBudget();
      const stream = new ProxyStream({ variant: 'delta', proxy, view, machine, call: call as unknown as AdsCall, events, budget });
      const own = ownLayer(proxy);
      const stop = life.store.subscribe(({ changes }) => {
        const layers: readonly string[] = life.store.layersOf(own);
        stream.changed(changes.filter(({ layer }) => layers.includes(layer)).flatMap(keysOf));
      });
      session = {
        ...{ agent, stream, machine, life: actor.life, drain: undefined },
        asked: new Map(TYPES.map((type) => [type, new Set<string>()])),
        nonces: new Set<string>(),
        given: new Map<string, ReadonlySet<string>>(),
        close: () => {
          stop();
          stream.close();
        },
      };
      life.loop.onReady(() => stream.speak());
    });
    this.#session = session;
    if (session === undefined) return;
    this.#send(session, 'CDS', {}, this.held.get('CDS'));
    this.#send(session, 'LDS', {}, this.held.get('LDS'));
    this.#subscribeChildren(session);
  }

  #unread: FramedMessage[] = [];

  #send(
    session: Session,
    type: XdsType,
    request: { subscribe?: readonly string[]; unsubscribe?: readonly string[]; nonce?: string; error?: string },
    versions: ReadonlyMap<string, string> = new Map(),
  ): void {
    const initialVersions = new Map(versions);
    const { actor } = session.agent;
    this.#time.plan(actor, 0.2 + this.#random.float() * 5, () => {
      if (this.#session !== session || session.life !== actor.life) return;
      const { subscribe = [], unsubscribe = [], nonce = '', error } = request;
      session.stream.asked(type, session.machine.request(type, { subscribe, unsubscribe, initialVersions, nonce, error }));
    });
  }

  #take(session: Session, framed: FramedMessage): void {
    const message = fromBinary(DeltaDiscoveryResponseSchema, unframed(framed));
    const type = typeOfUrl(message.typeUrl);
    if (type === undefined) this.#complain(`a response of type ${message.typeUrl}`);
    if (message.nonce === '' || session.nonces.has(message.nonce)) this.#complain(`nonce ${message.nonce} came twice`);
    session.nonces.add(message.nonce);
    const held = this.held.get(type) ?? new Map<string, string>();
    const names = message.resources.map(({ name }) => name);
    if (new Set(names).size !== names.length) this.#complain(`${type}: a name twice in one response`);
    const asked = session.asked.get(type);
    if (type !== 'CDS' && type !== 'LDS' && names.some((name) => asked?.has(name) !== true))
      this.#complain(`${type}: a resource that was not asked for`);
    const refused = message.resources.length > 0 && this.#random.chance(this.refuses) ? this.#random.pick(message.resources) : undefined;
    for (const resource of message.resources) {
      if (resource === refused) continue;
      held.set(resource.name, resource.version);
      if (type === 'CDS' || type === 'LDS')
        this.#trusts.set(`${type} ${resource.name}`, trustsIn(resource.version, resource.resource?.value));
    }
    for (const { name, resource } of message.resources) if (type === 'EDS') this.#judge(session, name, resource?.value);
    for (const name of message.removedResources) {
      held.delete(name);
      if (type === 'CDS') this.#judge(session, name, undefined);
    }
    this.#send(session, type, { nonce: message.nonce, ...(refused === undefined ? {} : { error: `${refused.name}: refused` }) });
    if (type === 'CDS' || type === 'LDS') this.#subscribeChildren(session);
  }

  /** What it is given of a service, or that it is told to forget it. */
  #judge({ given }: Session, name: string, assignment: Uint8Array | undefined): void {
    const [, service] = /^outbound\|80\|\|([^.]+)\./.exec(name) ?? [];
    if (service === undefined) return;
    const now = new Set(
      Buffer.from(assignment ?? [])
        .toString('latin1')
        .match(ENDPOINT),
    );
    this.#checks.onPush(this.actor.name, service, { before: given.get(name) ?? new Set(), now });
    given.set(name, now);
  }

  #complain(problem: string): never {
    throw new Breach(`${this.actor.name}: ${problem}`);
  }

  /** Trust that each cluster and listener names. */
  readonly #trusts = new Map<string, readonly string[]>();

  #subscribeChildren(session: Session): void {
    for (const type of ['EDS', 'SDS', 'RDS'] as const) {
      const asked = session.asked.get(type) ?? new Set<string>();
      const wanted = new Set(this.#children(type));
      const added = [...wanted].filter((name) => !asked.has(name));
      const gone = [...asked].filter((name) => !wanted.has(name));
      for (const name of added) asked.add(name);
      for (const name of gone) {
        asked.delete(name);
        this.held.get(type)?.delete(name);
      }
      if (added.length + gone.length === 0) continue;
      const known = [...(this.held.get(type) ?? [])].filter(([name]) => added.includes(name));
      this.#send(session, type, { subscribe: added, unsubscribe: gone }, new Map(known));
    }
  }

  /** Names that what it holds refers to. */
  #children(type: XdsType): string[] {
    const clusters = [...(this.held.get('CDS')?.keys() ?? [])];
    const listeners = [...(this.held.get('LDS')?.keys() ?? [])];
    if (type === 'EDS') return clusters.filter((name) => name.startsWith('outbound|'));
    if (type === 'RDS') return listeners.includes('outbound') ? ['outbound'] : [];
    const parents = [...clusters.map((name) => `CDS ${name}`), ...listeners.map((name) => `LDS ${name}`)];
    const secrets = parents.flatMap((key) => this.#trusts.get(key) ?? []);
    return [...new Set([...secrets, ...(parents.length > 0 ? ['identity'] : [])])];
  }
}

/** By version, which is a digest of the content: one mesh after the other has mostly the same resources. */
const TRUSTS = new Map<string, readonly string[]>();
const MOST_TRUSTS = 20_000;

function trustsIn(version: string, bytes: Uint8Array = IDENTITY.bytes): readonly string[] {
  const known = TRUSTS.get(version);
  if (known !== undefined) return known;
  const trusts = [...namedIn({ ...IDENTITY, bytes })].filter((name) => name.startsWith('trust|'));
  if (TRUSTS.size >= MOST_TRUSTS) TRUSTS.clear();
  TRUSTS.set(version, trusts);
  return trusts;
}

/** Puts messages together that are written in pieces. */
class Pieces {
  readonly #pieces: Buffer[] = [];

  /** The message that a piece is the last of: a flag, its length in four bytes and itself (gRPC, "Length-Prefixed-Message"). */
  put(piece: Buffer): FramedMessage | undefined {
    if (piece.length === 0) return undefined; // it only asks when those before it are taken
    this.#pieces.push(piece);
    const wanted = 5 + (this.#pieces[0]?.readUInt32BE(1) ?? 0);
    return bytesOf(this.#pieces) < wanted ? undefined : this.#pieces.splice(0);
  }
}
