/**
 * Keeps what stands behind the imports of the own cluster: derived Services with their EndpointSlices, and EndpointSlices of the clusters
 * that export. All replicas read; only the one that publishes for the cluster writes.
 */
import { clustersetHost, parseServiceKey } from '@hawser/model/service-host.ts';
import type { ApiClient } from '../discover/kubernetes/api-client.ts';
import type { World } from '../state/world.ts';
import type { TcpService } from '../translate/listeners/tcp-ports.ts';
import { BACKING_COLLECTIONS, type BackingSettings } from './backing-kinds.ts';
import { type BackedImport, type BackingPlan, backingPlan, clustersBeyond } from './backing-plan.ts';
import { type BackingState, backedImportKey } from './backing-states.ts';
import { type BackingObject, backingWrite } from './backing-writes.ts';
import { derivedName } from './derived-service.ts';
import type { BackingKind, ImportFacts } from './import-facts.ts';
import type { JsonObject } from './merge-patch.ts';
import { ObjectWriter, WRITER_TIMES, type WriterTimes } from './object-writer.ts';
import { deletion, type ObjectWrite } from './object-writes.ts';

/** What it works with. */
export interface ImportBackingParts extends BackingSettings {
  readonly api: ApiClient;
  readonly facts: Pick<ImportFacts, 'backing' | 'gateway'>;
  readonly world: () => Pick<World, 'self' | 'clusters' | 'shards'>;
  /** Where the cluster's proxies take calls of TCP services; the same array while nothing differs. */
  readonly tcpServices: () => readonly TcpService[];
  /** What is wanted of an import. */
  readonly importOf: (key: string) => BackedImport;
  /** The address that its Service asks for when it is made; undefined for any. */
  readonly addressOf: (key: string) => string | undefined;
  readonly unknown: () => ReadonlySet<string>;
  readonly writes: () => boolean;
  /** Something of what stands behind this import is another; undefined: behind any. */
  readonly onChange: (key: string | undefined) => void;
  readonly onProblem: (topic: string, problems: readonly string[]) => void;
  readonly times?: WriterTimes | undefined;
}

/** Endpoints that come and go again and again cost one write of a slice in this time. */
const SPACING_MS = 3_000;
const KINDS = ['Service', 'EndpointSlice'] as const;

/** What an object should be; without `wanted` it goes. */
interface Planned {
  readonly key: string;
  readonly owner: JsonObject | undefined;
  readonly wanted: BackingObject | undefined;
}

/** Follows, plans and writes until it is stopped. */
export class ImportBacking {
  readonly #parts: ImportBackingParts;
  readonly #writer: ObjectWriter;
  /** Object keys by the import that owns them. */
  readonly #owned = new Map<string, Set<string>>();
  readonly #planned = new Map<string, Planned>();
  readonly #unheard = new Map<string, readonly number[]>();
  /** Uids of planned objects that are not seen any more: they are gone, or have lost the label by which they are found. */
  readonly #lost = new Map<string, string>();
  #tcp: readonly TcpService[] = [];
  /** The outbound gateway's endpoints or ports are others than those of the plans. */
  #isStale = false;

  constructor(parts: ImportBackingParts) {
    this.#parts = parts;
    this.#writer = new ObjectWriter({
      ...{ api: parts.api, next: (key, refused) => this.#next(key, refused), known: (key) => this.#state(key)?.resourceVersion },
      times: parts.times ?? { ...WRITER_TIMES, spacingMs: SPACING_MS },
      onProblems: (problems) => parts.onProblem('backing writes', problems),
    });
  }

  get writer(): Pick<ObjectWriter, 'counts' | 'waiting'> {
    return this.#writer;
  }

  /** Whether imports have the addresses of derived Services. */
  get derives(): boolean {
    return this.#parts.outboundGateway !== undefined;
  }

  stop(): void {
    this.#writer.stop();
  }

  /** The ClusterIP of the derived Service of an import; undefined before there is one. */
  ipOf(key: string): string | undefined {
    const { namespace, service } = parseServiceKey(key);
    const name = `${namespace}/${derivedName(service)}`;
    const state = this.#parts.facts.backing.Service.get(name);
    return backedImportKey(name, state) === key ? state?.ip : undefined;
  }

  /** Host → ClusterIP of every derived Service. */
  *addresses(): Iterable<[string, string]> {
    for (const [name, state] of this.#parts.facts.backing.Service.entries()) {
      const key = backedImportKey(name, state);
      const ip = key === undefined ? undefined : this.ipOf(key);
      if (key !== undefined && ip !== undefined) yield [clustersetHost(parseServiceKey(key)), ip];
    }
  }

  /** Whether an import that these clusters export has EndpointSlices, and then which of them have none in it. */
  slicesOf(clusters: readonly string[]): { readonly beyond: readonly string[] } | undefined {
    return this.#parts.importEndpointSlices ? { beyond: clustersBeyond(clusters, this.#parts.world()) } : undefined;
  }

  /** Somebody else writes now. */
  clear(): void {
    this.#writer.clear();
  }

  /** Looks at what stands behind these imports, or behind all that there are where it may all be another. */
  look(keys: ReadonlySet<string>, all: () => Iterable<string>): void {
    const tcp = this.#parts.tcpServices();
    const isAll = this.derives && (this.#isStale || tcp !== this.#tcp);
    [this.#isStale, this.#tcp] = [false, tcp];
    for (const key of isAll ? new Set([...keys, ...all()]) : keys) this.#plan(key);
    const lacking = [...this.#unheard].map(
      ([key, ports]) => `ServiceImport ${key}: no port of the outbound gateway is free for port ${ports.join(', ')}`,
    );
    this.#parts.onProblem('backing', [...lacking, ...KINDS.flatMap((kind) => [...this.#parts.facts.backing[kind].problems()])]);
  }

  /** Imports that own something, whether they are there or not. */
  keys(): Iterable<string> {
    return this.#owned.keys();
  }

  /** The outbound gateway's EndpointSlices are others. */
  gatewayChanged(): void {
    this.#isStale = true;
    this.#parts.onChange(undefined);
  }

  /** An object that stands behind some import is another. */
  changed(kind: BackingKind, name: string, states: readonly [now: BackingState | undefined, before: BackingState | undefined]): void {
    const [object, [now, before]] = [`${kind} ${name}`, states];
    if (now !== undefined) this.#lost.delete(object);
    else if (before !== undefined) this.#lost.set(object, before.uid);
    const keys = new Set(states.flatMap((state) => backedImportKey(name, state) ?? []));
    const planned = this.#planned.get(object)?.key;
    for (const key of planned === undefined ? keys : keys.add(planned)) {
      this.#owned.set(key, (this.#owned.get(key) ?? new Set()).add(object));
      this.#parts.onChange(key);
    }
  }

  #plan(key: string): void {
    const wanted = this.#parts.importOf(key);
    if (wanted === 'leave') return;
    const { namespace } = parseServiceKey(key);
    const plan = wanted === 'absent' ? NOTHING : this.#planOf(key, wanted);
    const owner = wanted === 'absent' ? undefined : wanted.owner;
    const objects = new Map<string, BackingObject | undefined>();
    for (const object of this.#owned.get(key) ?? []) {
      const name = object.slice(object.lastIndexOf('/') + 1);
      if (!(object.startsWith('EndpointSlice') && plan.kept.has(name))) objects.set(object, undefined);
    }
    if (plan.service !== undefined) objects.set(`Service ${namespace}/${plan.service.name}`, plan.service);
    for (const slice of plan.slices) objects.set(`EndpointSlice ${namespace}/${slice.name}`, slice);
    this.#take(key, objects, owner);
    if (plan.unheard.length === 0) this.#unheard.delete(key);
    else this.#unheard.set(key, plan.unheard);
  }

  /** Of objects that are neither there nor wanted nothing is remembered. */
  #take(key: string, objects: ReadonlyMap<string, BackingObject | undefined>, owner: JsonObject | undefined): void {
    const owned = this.#owned.get(key) ?? new Set();
    for (const [object, wanted] of objects) {
      if (wanted === undefined && this.#state(object) === undefined) {
        owned.delete(object);
        this.#planned.delete(object);
        this.#lost.delete(object);
        continue;
      }
      owned.add(object);
      this.#planned.set(object, { key, owner, wanted });
      this.#writer.look([object]);
    }
    if (owned.size === 0) this.#owned.delete(key);
    else this.#owned.set(key, owned);
  }

  #planOf(key: string, { spec, clusters }: Exclude<BackedImport, string>): BackingPlan {
    const { world, unknown, importEndpointSlices, outboundGateway } = this.#parts;
    const { namespace, service } = parseServiceKey(key);
    const { shards, ...fleet } = world();
    const exported = [...(shards.get(key) ?? [])].filter(([cluster]) => clusters.includes(cluster));
    const slices = [...(this.#owned.get(key) ?? [])].flatMap((object) => {
      const state = object.startsWith('EndpointSlice') ? this.#state(object) : undefined;
      return state === undefined ? [] : [[object.slice(object.lastIndexOf('/') + 1), state] as const];
    });
    const host = clustersetHost({ namespace, service });
    const tcpPort = (port: number) => this.#tcp.find((one) => one.port === port && one.host === host)?.listenerPort;
    const gateway = { slices: this.#parts.facts.gateway.entries(), tcpPort, hasService: this.ipOf(key) !== undefined };
    return backingPlan({
      ...{ importName: service, spec, world: fleet, shards: new Map(exported), unknown: unknown(), slices: new Map(slices) },
      ...{ importEndpointSlices, gateway: outboundGateway === undefined ? undefined : gateway },
    });
  }

  #next(object: string, refused: number | undefined): ObjectWrite | undefined {
    const planned = this.#planned.get(object);
    if (planned === undefined || !this.#parts.writes()) return undefined;
    const kind = kindOf(object);
    const [namespace = '', name = ''] = object.slice(kind.length + 1).split('/');
    const [existing, place] = [this.#state(object), { collection: BACKING_COLLECTIONS[kind], namespace, name }];
    if (planned.wanted === undefined || planned.owner === undefined) return existing && deletion(place, existing);
    // The address that was asked for is taken, or none of the cluster's: any other, then.
    const ip = kind === 'Service' && refused !== 422 ? this.#parts.addressOf(planned.key) : undefined;
    // Its name is taken: by the one that was seen before, or by somebody else's.
    const lost = refused === 409 ? this.#lost.get(object) : undefined;
    return backingWrite(place, planned.wanted, { kind, existing, owner: planned.owner, ip, lost });
  }

  #state(object: string): BackingState | undefined {
    const kind = kindOf(object);
    return this.#parts.facts.backing[kind].get(object.slice(kind.length + 1));
  }
}

const NOTHING: BackingPlan = { service: undefined, slices: [], kept: new Set(), unheard: [] };

function kindOf(object: string): BackingKind {
  return object.startsWith('Service ') ? 'Service' : 'EndpointSlice';
}
