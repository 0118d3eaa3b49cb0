/**
 * The MCS API of the own cluster's API server (KEP-1645): ServiceImports as all exports together make them, and what ServiceExports are
 * told. All replicas read; only the one that publishes for the cluster writes.
 */

import { clustersetHost, parseServiceKey } from '@hawser/model/service-host.ts';
import type { ApiClient } from '../discover/kubernetes/api-client.ts';
import { KnownFacts } from '../discover/kubernetes/known-facts.ts';
import { Reflector, type ReflectorTimes } from '../discover/kubernetes/reflector.ts';
import type { World } from '../state/world.ts';
import { isVirtual, type VirtualRange } from '../translate/capture/virtual-addresses.ts';
import type { TcpService } from '../translate/listeners/tcp-ports.ts';
import type { BackingSettings } from './backing-kinds.ts';
import { type BackedImport, backedImport } from './backing-plan.ts';
import { exportFindings } from './export-findings.ts';
import { MULTICLUSTER_KINDS } from './followed-kinds.ts';
import { addressesOf, givenAddresses, type HeldAddresses, heldAddresses, isNatural } from './import-addresses.ts';
import { ImportBacking } from './import-backing.ts';
import type { ImportFacts } from './import-facts.ts';
import { type ExportState, type ImportState, ipsOf, type NamespaceState } from './object-states.ts';
import { ObjectWriter, type WriteCounts, type WriterTimes } from './object-writer.ts';
import { exportWrite, importReference, importWrite, type ObjectPlace, type ObjectWrite } from './object-writes.ts';
import { OfferedExports, type OfferSources } from './offered-exports.ts';
import { type ImportVerdict, isOurs, wantedImport } from './wanted-import.ts';

/** What it works with. */
export interface MulticlusterParts extends OfferSources {
  readonly api: ApiClient;
  /** What the source follows of what it looks at. */
  readonly facts: ImportFacts;
  readonly range: VirtualRange;
  readonly backing: BackingSettings;
  readonly world: () => Pick<World, 'self' | 'clusters' | 'shards' | 'policies'>;
  /** Where the cluster's proxies take calls of TCP services; the same array while nothing differs. */
  readonly tcpServices: () => readonly TcpService[];
  /** Whether this replica writes: it publishes, and everything is known. */
  readonly writes: () => boolean;
  /** What the registry says of an exported Service: its type, `''` for none; undefined where the registry does not know the export. */
  readonly serviceOf: (key: string) => { readonly type: string | undefined } | undefined;
  /** Addresses of names by their imports; `isNews` when some name may have another than by its hash. */
  readonly onAddresses: (held: HeldAddresses, isNews: boolean) => void;
  /** What is wrong now. */
  readonly onWarnings: (messages: readonly string[]) => void;
  readonly times?: { readonly reflector?: ReflectorTimes; readonly writer?: WriterTimes };
}

/** Changes of so long go together, milliseconds: an export and the shards of it come in several messages. */
const GATHER_MS = 20;
/** A Service may be heard of a moment after its ServiceExport. */
const SERVICE_LATE_MS = 1_000;
const [IMPORT, EXPORT] = ['ServiceImport ', 'ServiceExport '] as const;

/** Follows, judges and writes until it is stopped. */
export class MulticlusterController {
  readonly #parts: MulticlusterParts;
  readonly #namespaces = new KnownFacts<NamespaceState>((name) => this.#namespaceChanged(name));
  readonly #imports = new KnownFacts<ImportState>((key, state) => this.#importChanged(key, state));
  readonly #reflectors: ReadonlyMap<keyof typeof MULTICLUSTER_KINDS, Reflector<unknown>>;
  readonly #writer: ObjectWriter;
  readonly #backing: ImportBacking;
  readonly #offered: OfferedExports;
  /** Types of the Services of own exports, as they were looked at last. */
  readonly #types = new Map<string, string | undefined>();
  /** Uids of imports that carried our label in this life. */
  readonly #ours = new Set<string>();
  readonly #touched = new Set<string>();
  readonly #problems = new Map<string, readonly string[]>();
  #held: HeldAddresses = new Map();
  /** Hosts that the range has no address for. */
  #without: ReadonlySet<string> = new Set();
  #isWriting = false;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(parts: MulticlusterParts) {
    this.#parts = parts;
    this.#offered = new OfferedExports(parts);
    const tables = { namespaces: this.#namespaces, serviceimports: this.#imports } as const;
    this.#reflectors = new Map(
      Object.entries(MULTICLUSTER_KINDS).map(([name, kind]) => {
        const table = tables[name as keyof typeof tables] as KnownFacts<unknown>;
        const reflector = new Reflector<unknown>({
          ...{ api: parts.api, ...kind, query: {}, pageSize: 500 },
          ...(parts.times?.reflector === undefined ? {} : { times: parts.times.reflector }),
          onList: (objects) => {
            table.replace(objects);
            this.wake();
          },
          onPut: (object) => table.put(object),
          onRemove: (key) => table.remove(key),
          onProblem: (problem) => this.#problem(name, problem === undefined ? [] : [`${name}: ${problem}; what is known of them is kept`]),
        });
        return [name as keyof typeof MULTICLUSTER_KINDS, reflector] as const;
      }),
    );
    this.#writer = new ObjectWriter({
      ...{ api: parts.api, next: (key) => this.#next(key), known: (key) => this.#version(key) },
      ...(parts.times?.writer === undefined ? {} : { times: parts.times.writer }),
      onProblems: (problems) => this.#problem('writes', problems),
    });
    this.#backing = new ImportBacking({
      ...{
        ...parts.backing,
        api: parts.api,
        facts: parts.facts,
        world: parts.world,
        tcpServices: parts.tcpServices,
        times: parts.times?.writer,
      },
      ...{ importOf: (key) => this.#backed(key), addressOf: (key) => this.#allocated(key), unknown: () => this.#offered.unknown },
      writes: () => this.#isWriting && parts.writes(),
      onChange: (key) => (key === undefined ? this.wake() : this.#touch(key)),
      onProblem: (topic, problems) => this.#problem(topic, problems),
    });
  }

  /** What was written, and what waits. */
  get writer(): { readonly counts: WriteCounts; readonly waiting: number } {
    const [{ counts: own, waiting }, { counts, waiting: more }] = [this.#writer, this.#backing.writer];
    return { counts: { done: own.done + counts.done, failed: own.failed + counts.failed }, waiting: waiting + more };
  }

  /** Begins to follow. */
  start(): void {
    this.#parts.facts.listen({
      onBacking: (...change) => this.#backing.changed(...change),
      onGateway: () => this.#backing.gatewayChanged(),
      onExport: (key, state) => this.#exportChanged(key, state),
      onList: () => this.wake(),
    });
    for (const reflector of this.#reflectors.values()) void reflector.list();
  }

  /** Something may be another: shards, members, who publishes. Cheap. */
  wake(): void {
    if (this.#stopped) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, GATHER_MS).unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#parts.facts.stop();
    this.#writer.stop();
    this.#backing.stop();
    await Promise.all([...this.#reflectors.values()].map((reflector) => reflector.stop()));
  }

  #namespaceChanged(name: string): void {
    for (const key of [...this.#offered.keys(), ...this.#parts.facts.exports.keys()]) if (key.startsWith(`${name}/`)) this.#touch(key);
  }

  #importChanged(key: string, state: ImportState | undefined): void {
    if (state !== undefined && isOurs(state)) this.#ours.add(state.uid);
    this.#touch(key);
  }

  #exportChanged(key: string, state: ExportState | undefined): void {
    if (state === undefined) this.#types.delete(key);
    this.#touch(key);
  }

  #touch(key: string): void {
    this.#touched.add(key);
    this.wake();
  }

  /** Nothing is judged before everything was listed; a server without the MCS API is left alone. */
  #look(): void {
    if (![...this.#reflectors.values(), this.#parts.facts].every(({ listed }) => listed)) return;
    const writes = this.#parts.writes() && this.#reflectors.get('serviceimports')?.path !== undefined;
    const isNew = writes && !this.#isWriting;
    this.#isWriting = writes;
    if (!writes) {
      this.#touched.clear();
      this.#writer.clear();
      this.#backing.clear();
      this.#settleAddresses(false);
      return;
    }
    const fleetDiffers = this.#offered.fleetDiffers();
    const touched = isNew || fleetDiffers ? this.#all() : [...this.#touched];
    this.#touched.clear();
    const { reoffered, moved } = this.#offered.differing();
    const keys = new Set([...touched, ...reoffered, ...this.#retyped()]);
    if (keys.size > 0) this.#write(keys);
    this.#backing.look(new Set([...keys, ...moved]), () => this.#all());
  }

  #write(keys: ReadonlySet<string>): void {
    this.#settleAddresses(true);
    for (const key of keys) {
      this.#writer.look([IMPORT + key]);
      if (this.#parts.facts.exports.get(key) === undefined) continue;
      this.#writer.look([EXPORT + key], this.#parts.serviceOf(key)?.type === undefined ? SERVICE_LATE_MS : 0);
    }
    this.#tellOfObjects();
  }

  #all(): string[] {
    return [
      ...new Set([...this.#offered.imported(), ...this.#imports.keys(), ...this.#parts.facts.exports.keys(), ...this.#backing.keys()]),
    ];
  }

  /** Keys of own exports whose Services are others than before: one without endpoints offers nothing either way. */
  #retyped(): string[] {
    return [...this.#parts.facts.exports.keys()].filter((key) => {
      const type = this.#parts.serviceOf(key)?.type;
      if (this.#types.has(key) && this.#types.get(key) === type) return false;
      this.#types.set(key, type);
      return true;
    });
  }

  #next(key: string): ObjectWrite | undefined {
    if (!this.#isWriting || !this.#parts.writes()) return undefined;
    const [kind, service] = [key.slice(0, IMPORT.length), key.slice(IMPORT.length)];
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    if (kind === IMPORT) {
      const place = this.#placeOf('serviceimports', service);
      return place && importWrite(place, this.#verdict(service), { existing: this.#imports.get(service), now });
    }
    const [existing, place] = [this.#parts.facts.exports.get(service), this.#placeOf('serviceexports', service)];
    const known = this.#parts.serviceOf(service);
    // What the registry has not heard of yet is not known to be without a Service.
    if (existing === undefined || known === undefined || place === undefined) return undefined;
    const { exports, merged } = this.#offered.of(service);
    const offered = exports.find(({ cluster }) => cluster === this.#parts.world().self)?.facts;
    const [isAllowed, isForeign] = [this.#offered.isAllowed(place.namespace), this.#verdict(service) === 'foreign'];
    return exportWrite(place, exportFindings({ serviceType: known.type, offered, merged, isAllowed, isForeign }), { existing, now });
  }

  #verdict(key: string): ImportVerdict {
    const existing = this.#imports.get(key);
    const namespace = this.#namespaces.get(parseServiceKey(key).namespace);
    return wantedImport({
      ...{ merged: this.#offered.of(key).merged, existing, unknown: this.#offered.unknown },
      wasOurs: existing !== undefined && this.#ours.has(existing.uid),
      hasNamespace: namespace?.isEnding === false,
      ips: this.#ipsOf(key),
      lack: this.#backing.derives ? 'its derived Service has no address yet' : 'the range of virtual addresses has none left',
      slices: this.#backing.slicesOf(this.#offered.of(key).merged?.clusters ?? []),
    });
  }

  #backed(key: string): BackedImport {
    const [existing, place] = [this.#imports.get(key), this.#placeOf('serviceimports', key)];
    return backedImport(this.#verdict(key), {
      owner: existing && place && importReference(place, existing),
      isOurs: existing !== undefined && this.#isKnownAsOurs(existing),
      isExported: this.#offered.of(key).merged !== undefined,
    });
  }

  /** The address that an import has of a derived Service, though that may be gone. */
  #allocated(key: string): string | undefined {
    const [ip] = ipsOf(this.#imports.get(key));
    const held = this.#held.get(clustersetHost(parseServiceKey(key))) ?? ip;
    return held === undefined || isVirtual(held, this.#parts.range) ? undefined : held;
  }

  /**
   * Undefined until it was looked for; empty when there is none to give. Of a derived Service it is the Service's; before there is that,
   * an import keeps what it has.
   */
  #ipsOf(key: string): readonly string[] | undefined {
    if (this.#backing.derives) {
      const own = this.#backing.ipOf(key);
      return own === undefined ? ipsOf(this.#imports.get(key)) : [own];
    }
    const host = clustersetHost(parseServiceKey(key));
    const ip = this.#held.get(host);
    if (ip === undefined) return this.#without.has(host) ? [] : undefined;
    return addressesOf(ip, this.#offered.of(key).merged?.spec.ipFamilies);
  }

  /**
   * All replicas' proxies use the addresses that the imports have. The one that writes keeps the address that an import had at first,
   * whoever writes another, and finds those that are lacking: all of them at once, for it takes a look at every name.
   */
  #settleAddresses(isWriting: boolean): void {
    if (this.#backing.derives) {
      // One whose Service is just being made again keeps its address.
      this.#hold(new Map([...this.#kept(isWriting), ...this.#backing.addresses()]), true);
      return;
    }
    const { range, world } = this.#parts;
    const ours = [...this.#imports.entries()].filter(([, state]) => this.#isKnownAsOurs(state));
    const found = heldAddresses(ours, this.#kept(isWriting), range);
    const lacking = isWriting ? this.#offered.addressedHosts().filter((host) => !found.has(host)) : [];
    const given = lacking.length === 0 ? found : givenAddresses(world(), found, range);
    this.#without = new Set(lacking.filter((host) => !given.has(host)));
    const held = new Map([...found, ...lacking.flatMap((host) => entryOf(host, given.get(host)))]);
    this.#hold(held, false);
  }

  #hold(held: HeldAddresses, isAllocated: boolean): void {
    const news = [...held].filter(([host, ip]) => this.#held.get(host) !== ip);
    if (news.length === 0 && held.size === this.#held.size) return;
    this.#held = held;
    this.#parts.onAddresses(held, isAllocated || news.some(([host, ip]) => !isNatural(host, ip, this.#parts.range)));
  }

  #kept(isWriting: boolean): HeldAddresses {
    const wanted = new Set(isWriting ? this.#offered.addressedHosts() : []);
    return new Map([...this.#held].filter(([host]) => wanted.has(host)));
  }

  #isKnownAsOurs(state: ImportState): boolean {
    return isOurs(state) || this.#ours.has(state.uid);
  }

  #tellOfObjects(): void {
    const foreign = [...this.#imports.entries()].filter(
      ([key, state]) => !this.#isKnownAsOurs(state) && this.#offered.of(key).merged !== undefined,
    );
    const said = foreign.map(
      ([key]) => `${IMPORT}${key}: somebody else made it, and it is left as it is: what the clusterset exports is not in it`,
    );
    this.#problem('objects', [
      ...said,
      ...this.#imports.problems(),
      ...this.#parts.facts.exports.problems(),
      ...this.#namespaces.problems(),
    ]);
  }

  #version(key: string): string | undefined {
    const table = key.startsWith(IMPORT) ? this.#imports : this.#parts.facts.exports;
    return table.get(key.slice(IMPORT.length))?.resourceVersion;
  }

  #placeOf(kind: 'serviceimports' | 'serviceexports', key: string): ObjectPlace | undefined {
    const collection = kind === 'serviceexports' ? this.#parts.facts.exportsPath : this.#reflectors.get(kind)?.path;
    const { namespace, service } = parseServiceKey(key);
    return collection === undefined ? undefined : { collection, namespace, name: service };
  }

  #problem(topic: string, messages: readonly string[]): void {
    if (this.#stopped || JSON.stringify(this.#problems.get(topic) ?? []) === JSON.stringify(messages)) return;
    this.#problems.set(topic, messages);
    this.#parts.onWarnings([...this.#problems.values()].flat());
  }
}

function entryOf(host: string, ip: string | undefined): [string, string][] {
  return ip === undefined ? [] : [[host, ip]];
}
