/** The own cluster's endpoints: registry, health checks and drains, through the brake. What comes out is in force. */
import { isDeepStrictEqual } from 'node:util';
import type { EndpointHealth, EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { Credentials } from '../state/credential.ts';
import { type BrakeMemory, type BrakeSource, brake, confirmableAt, NO_MEMORY, type Shards } from '../state/endpoint-brake.ts';
import { BareArrivals } from './bare-arrivals.ts';
import { EndpointChecks } from './endpoint-checks.ts';
import { localServices, ServiceMemory } from './local-shards.ts';
import { type ObjectsByFile, RegistryFiles } from './registry-files.ts';
import type { RegistryObject, WorkloadEntryObject } from './registry-kinds.ts';
import type { OpenRegistry, RegistryRead, RegistrySource } from './registry-source.ts';
import { credentialsOf, credentialWarnings } from './secrets.ts';

/** What is saved of it, so that a restart forgets nothing. */
export interface LocalState {
  readonly files: ObjectsByFile;
  readonly shards: Shards;
  /** `ADDRESS|PORT` that were failing. */
  readonly failing: readonly string[];
  readonly draining: readonly string[];
  /** Certificates in use, so that a Secret that goes away while the agent is down is not lost either. */
  readonly credentials: Credentials;
}

/** What another replica of this cluster says of its proxies: addresses. */
export interface Elsewhere {
  readonly sidecars: readonly string[];
  readonly draining: readonly string[];
}

/** How it is composed. */
export interface LocalSourceOptions {
  readonly cluster: string;
  /** Where the objects come from. */
  readonly openRegistry: OpenRegistry;
  readonly saved?: LocalState | undefined;
  /** Whether the cluster's gateways speak for workloads without a sidecar. */
  readonly gatewayMode?: boolean;
  /** Whether every connected gateway has acknowledged what it was sent; true unless given. */
  readonly gatewaysHaveAll?: () => boolean;
  /** The shards in force changed; those that did not are the same objects. */
  readonly onShards: (shards: Shards) => void;
  /** Certificates for edge proxies changed. */
  readonly onCredentials?: (credentials: Credentials) => void;
  /** What is wrong now, by topic: `registry`, `secrets`, `endpoints` or `brake`. */
  readonly onWarnings: (topic: string, messages: readonly string[]) => void;
  /** Every how many milliseconds endpoints are checked; tests want it often, or 0 for never. */
  readonly checkMs?: number | undefined;
  /** The brake's clock: milliseconds of which only differences matter. */
  readonly now?: (() => number) | undefined;
}

/** Discovers, judges and tells. */
export class LocalSource {
  /** Called after each read of the registry: for whoever looks at single objects of it. */
  afterRead: () => void = () => undefined;
  readonly #options: LocalSourceOptions;
  readonly #registry: RegistrySource;
  readonly #checks: EndpointChecks;
  readonly #draining: Set<string>;
  readonly #now: () => number;
  /** Addresses of the sidecars that are connected. */
  readonly #sidecars = new Set<string>();
  /** By replica. */
  readonly #elsewhere = new Map<string, { readonly sidecars: ReadonlySet<string>; readonly draining: ReadonlySet<string> }>();
  #files: ObjectsByFile;
  #objects: readonly RegistryObject[];
  #joined: readonly WorkloadEntryObject[] = [];
  #network: string | undefined;
  #inForce: Shards;
  #credentials: Credentials;
  #memory: BrakeMemory = NO_MEMORY;
  #holds = 0;
  readonly #services = new ServiceMemory();
  readonly #arrivals: BareArrivals;
  #known: boolean;
  #scheduled: NodeJS.Immediate | undefined;
  #confirm: NodeJS.Timeout | undefined;

  constructor(options: LocalSourceOptions) {
    const { saved, checkMs } = options;
    this.#options = options;
    this.#arrivals = new BareArrivals({
      gatewaysHaveAll: options.gatewaysHaveAll ?? (() => true),
      onSettled: () => this.#judge('live'),
    });
    this.#now = options.now ?? (() => performance.now());
    this.#files = saved?.files ?? new Map();
    this.#objects = new RegistryFiles(this.#files).merged().objects;
    this.#inForce = saved?.shards ?? new Map();
    this.#known = saved !== undefined;
    this.#credentials = saved?.credentials ?? new Map();
    this.#draining = new Set(saved?.draining);
    this.#registry = options.openRegistry({
      seed: this.#files,
      onRead: (read) => this.#read(read),
      onHold: (reason) => options.onWarnings('registry', reason === undefined ? [] : [reason]),
    });
    this.#checks = new EndpointChecks({
      onChange: () => this.#soon(),
      onRound: () => this.#memory.held.size > 0 && this.#judge('checks'),
      failing: saved?.failing ?? [],
      hasSidecar: (address) => this.#sidecars.has(address) || this.#isElsewhere('sidecars', address),
      ...(checkMs === undefined ? {} : { periodMs: checkMs }),
    });
  }

  /** Reads the registry once, whatever comes of it, and stays live. */
  async start(): Promise<void> {
    if (this.#credentials.size > 0) this.#options.onCredentials?.(this.#credentials);
    await this.#registry.start();
    if (this.#known) this.#options.onShards(this.#inForce);
    if (this.#options.checkMs !== 0) this.#checks.start();
  }

  /** Whether the own endpoints are known: read, or saved by an earlier life. */
  get known(): boolean {
    return this.#known;
  }

  get shards(): Shards {
    return this.#inForce;
  }

  /** Of a ServiceExport that the registry knows, the type of its Service (`''`: the default), undefined where there is none of its name. */
  exportedService(key: string): { readonly type: string | undefined } | undefined {
    const { index } = this.#services;
    if (index?.exports.has(key) !== true) return undefined;
    const service = index.services.get(key);
    return { type: service === undefined ? undefined : (service.spec.type ?? '') };
  }

  /** How many losses are held. */
  get held(): number {
    return this.#memory.held.size;
  }

  /** How many losses were ever held. */
  get holds(): number {
    return this.#holds;
  }

  state(): LocalState {
    const { failing, draining } = { failing: this.#checks.failing(), draining: [...this.#draining].sort() };
    return { files: this.#files, shards: this.#inForce, failing, draining, credentials: this.#credentials };
  }

  /** The proxy at this address leaves: its endpoints take no new requests until it connects again. */
  markDraining(address: string): void {
    this.#draining.add(address);
    this.#judge('live');
  }

  /** Whether the proxy at this address said that it leaves. */
  isDraining(address: string): boolean {
    return this.#draining.has(address) || this.#isElsewhere('draining', address);
  }

  /** The sidecar at this address is connected: whatever it was leaving for, it is back. */
  sidecarConnected(address: string): void {
    this.#sidecars.add(address);
    if (this.#draining.delete(address)) this.#judge('live');
  }

  /** The sidecar at this address has no stream any more; what it serves is for the checks to find out. */
  sidecarGone(address: string): void {
    this.#sidecars.delete(address);
  }

  /** Workloads that sidecars registered themselves as, beside those of the registry. */
  setJoined(entries: readonly WorkloadEntryObject[]): void {
    if (isDeepStrictEqual(entries, this.#joined)) return;
    this.#joined = entries;
    // Before the first read nothing is known of the others.
    if (this.#known) this.#judge('live');
  }

  /** The cluster's own network; undefined while it is not known. */
  setNetwork(network: string | undefined): void {
    if (network === this.#network) return;
    this.#network = network;
    if (this.#known) this.#judge('live');
  }

  /** What this replica's own proxies are, for the others. */
  ownProxies(): Elsewhere {
    return { sidecars: [...this.#sidecars], draining: [...this.#draining] };
  }

  /** What another replica says of its proxies; undefined when it is gone. A sidecar that connects there is back, as one here is. */
  setElsewhere(replica: string, proxies: Elsewhere | undefined): void {
    const before = this.#elsewhere.get(replica);
    if (proxies === undefined) this.#elsewhere.delete(replica);
    else this.#elsewhere.set(replica, { sidecars: new Set(proxies.sidecars), draining: new Set(proxies.draining) });
    const back = (proxies?.sidecars ?? []).filter((address) => before?.sidecars.has(address) !== true && this.#draining.delete(address));
    const draining = [...(before?.draining ?? [])].sort().join() !== [...(proxies?.draining ?? [])].sort().join();
    if (draining || back.length > 0) this.#judge('live');
  }

  /** An operator's word: what is held goes through. Returns how many losses that were. */
  confirmHeld(): number {
    const { held } = this;
    if (held > 0) this.#judge('live', { confirmed: true });
    return held;
  }

  async stop(): Promise<void> {
    clearTimeout(this.#confirm);
    clearImmediate(this.#scheduled);
    this.#checks.stop();
    this.#arrivals.stop();
    await this.#registry.stop();
  }

  #read(read: RegistryRead): void {
    this.#files = read.byFile;
    this.#objects = read.objects;
    this.#options.onWarnings(
      'registry',
      read.warnings.map((warning) => warning.message),
    );
    if (read.changes?.every(({ before, after }) => (before ?? after)?.kind !== 'Secret') !== true) this.#readSecrets(read.objects);
    // Without a saved state there is nothing in force yet that the first read could lose.
    this.#judge(read.how, { changes: read.changes });
    this.afterRead();
  }

  #readSecrets(objects: readonly RegistryObject[]): void {
    const before = this.#credentials;
    this.#credentials = credentialsOf(objects, before);
    if (this.#credentials === before) return;
    this.#options.onWarnings('secrets', credentialWarnings(this.#credentials));
    this.#options.onCredentials?.(this.#credentials);
  }

  /** Changes of health within one turn are one account. */
  #soon(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.#judge('checks');
    });
  }

  /** Without `changes`, anything may differ. */
  #judge(source: BrakeSource, { confirmed = false, changes }: { confirmed?: boolean; changes?: RegistryRead['changes'] } = {}): void {
    const { cluster, gatewayMode = false, onShards, onWarnings } = this.#options;
    const healthOf = (address: string, ports: readonly number[]): EndpointHealth | undefined => this.#healthOf(address, ports);
    const options = { healthOf, network: this.#network, gatewayMode, memory: this.#services, known: this.#inForce };
    const services = (only?: RegistryRead['changes']) =>
      localServices(cluster, [...this.#objects, ...this.#joined], { ...options, changes: only });
    const found = services(changes);
    const isOpening = this.#checks.setTargets(found.targets);
    // What the first read finds was there before: nobody called it as long as nobody knew of it.
    const isArriving = this.#known && this.#arrivals.look(this.#inForce, found.shards);
    const { shards, warnings } = isOpening || isArriving ? services() : found;
    const before = this.#memory;
    const verdict = brake({ inForce: this.#inForce, next: shards, source, now: this.#now(), memory: before, confirmed });
    this.#memory = verdict.memory;
    for (const key of verdict.memory.held.keys()) if (!before.held.has(key)) this.#holds += 1;
    const isFirst = !this.#known;
    this.#known = true;
    const next = withSameObjects(this.#inForce, verdict.apply);
    onWarnings('endpoints', warnings);
    if (before.held.size !== this.#memory.held.size) onWarnings('brake', heldWarning(this.#memory));
    this.#scheduleConfirmation();
    if (next === this.#inForce && !isFirst) return;
    this.#inForce = next;
    onShards(next);
  }

  #healthOf(address: string, ports: readonly number[]): EndpointHealth | undefined {
    return this.isDraining(address) || this.#arrivals.has(address) ? 'DRAINING' : this.#checks.healthOf(address, ports);
  }

  #isElsewhere(what: 'sidecars' | 'draining', address: string): boolean {
    for (const replica of this.#elsewhere.values()) if (replica[what].has(address)) return true;
    return false;
  }

  /** The source is asked once more some seconds after it said something incredible. */
  #scheduleConfirmation(): void {
    clearTimeout(this.#confirm);
    const at = confirmableAt(this.#memory);
    if (at === undefined) return;
    this.#confirm = setTimeout(() => void this.#registry.rescan(), Math.max(100, at - this.#now() + 10)).unref();
  }
}

function heldWarning(memory: BrakeMemory): string[] {
  const { size } = memory.held;
  if (size === 0) return [];
  const [first] = memory.held.keys();
  const more = size > 1 ? ` and ${size - 1} more` : '';
  return [`the loss of ${first}${more} is held until the source confirms it; hawser trusts it at once after POST /brake/confirm`];
}

/** The shards after a change, with the objects of before where nothing differs; `before` itself when nothing does at all. */
function withSameObjects(before: Shards, after: Shards): Shards {
  const result = new Map<string, EndpointShard>();
  let isSame = before.size === after.size;
  for (const [key, shard] of after) {
    const known = before.get(key);
    const kept = known !== undefined && (known === shard || isDeepStrictEqual(known, shard)) ? known : shard;
    isSame &&= kept === known;
    result.set(key, kept);
  }
  return isSame ? before : result;
}
