/** The thin shell around the pure parts: remembers what it gave, compiles what differs, gives the changes. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { STRAY_SERVICE } from '@hawser/model/service-host.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { type Change, type LayerName, ownLayer, type XdsResource } from '../snapshot/resource.ts';
import type { Dirty } from '../state/federation.ts';
import type { ProxyRef, World } from '../state/world.ts';
import { AddressIndex } from './address-index.ts';
import { VIRTUAL_RANGE, type VirtualRange } from './capture/virtual-addresses.ts';
import type { Draft } from './draft.ts';
import { type Fleet, fleetOf, isSameFleet } from './fleet.ts';
import { type Indexes, indexesOf, noIndexes } from './indexes.ts';
import { unpairedClusters } from './invariants.ts';
import type { ServedPort } from './listeners/inbound.ts';
import { allocateTcpPorts, type TcpService, tcpPortsOf } from './listeners/tcp-ports.ts';
import { namedProblems } from './named-problems.ts';
import { GATEWAY, OUTBOUND } from './names.ts';
import { samePolicies } from './policy-index.ts';
import { ProxyCompiler } from './proxy-compiler.ts';
import { placed, ResourceLedger } from './resource-ledger.ts';
import { LeadingServices } from './routes/leading-services.ts';
import type { EncodedHost } from './routes/route-config.ts';
import { RouteTable, type StagedHosts, stagedRoutes, strayRoutes } from './routes/route-table.ts';
import { type RuleProblem, ruleProblems } from './routes/rule-problems.ts';
import type { CommonState } from './scope/scope-view.ts';
import { ScopeViews } from './scope/scope-views.ts';
import { type CompiledService, compiledHosts, compiledResources, compiledService } from './services/compiled-service.ts';
import { externalInput } from './services/external-inputs.ts';
import { guestsOf } from './services/guests.ts';
import { fleetResources } from './services/service-resources.ts';
import { servicesToCompile } from './services/services-to-compile.ts';

/** Compiles a world into xDS resources, as changes to what was given before. */
export interface Translator {
  /**
   * Changes for this world. Nothing while the own cluster's trust bundle is unknown: unknown is not empty.
   * Throws `invariant-broken` and keeps the last state when a result would break Envoy.
   */
  update(world: World, dirty: Dirty): Change[];
  /** The layer of a proxy that connected; again is no change. */
  attach(proxy: ProxyRef): Change[];
  /** Removes the layer of a proxy. */
  detach(proxy: ProxyRef): Change[];
  /** What of the policies in force is not served as written. */
  problems(): readonly RuleProblem[];
  /** Where all proxies that no policy narrows take calls of TCP services; the same array while nothing differs. */
  tcpServices(): readonly TcpService[];
}

/** A translator that has given nothing yet. Names of the mesh get addresses of `range`. */
export function createTranslator(range: VirtualRange = VIRTUAL_RANGE): Translator {
  return new IncrementalTranslator(range);
}

class IncrementalTranslator implements Translator {
  #world: World | undefined;
  #fleet: Fleet | undefined;
  /** The shards of the world, if all of them were compiled. */
  #shards: World['shards'] | undefined;
  #indexes: Indexes = noIndexes();
  #tcp: readonly TcpService[] = [];
  readonly #services = new Map<string, CompiledService>();
  readonly #leading = new LeadingServices();
  readonly #routes = new RouteTable();
  readonly #gatewayRoutes = new RouteTable();
  readonly #addresses = new AddressIndex<readonly ServedPort[]>();
  readonly #labels = new AddressIndex<Readonly<Record<string, string>>>();
  readonly #views = new ScopeViews();
  readonly #proxies: ProxyCompiler;
  /** What of the shared layer depends on no service. */
  #base: readonly XdsResource[] = [];
  readonly #ledger = new ResourceLedger();
  /** Undefined once they may differ. */
  #problems: readonly RuleProblem[] | undefined;

  constructor(range: VirtualRange) {
    this.#proxies = new ProxyCompiler(range, { views: this.#views, addresses: this.#addresses, labels: this.#labels });
  }

  update(world: World, dirty: Dirty): Change[] {
    const fleet = this.#world !== undefined && isSameFleet(this.#world, world) ? this.#fleet : fleetOf(world);
    if (fleet === undefined) return [];
    const draft = this.#draft({ world, fleet, ...indexesOf(world.policies, this.#indexes) });
    const before = { ...this.#indexes, fleet: this.#fleet, services: this.#services, shards: this.#shards };
    const keys = servicesToCompile(world, dirty, draft, before);
    for (const key of keys) if (!key.endsWith(`/${STRAY_SERVICE}`)) this.#draftService(key, world, draft);
    if (fleet !== this.#fleet) this.#draftFleet(draft);
    this.#draftRoutes(draft);
    this.#draftProxies(draft);
    this.#check(draft);
    const changes = this.#changes(draft);
    this.#commit(world, draft);
    this.#shards = dirty === 'all' ? world.shards : undefined;
    return changes;
  }

  attach(proxy: ProxyRef): Change[] {
    const layer = ownLayer(proxy);
    this.#proxies.all.set(layer, proxy);
    this.#views.touch(layer);
    return this.#proxyChanges(layer);
  }

  detach(proxy: ProxyRef): Change[] {
    const layer = ownLayer(proxy);
    this.#proxies.all.delete(layer);
    this.#views.touch(layer);
    return this.#proxyChanges(layer);
  }

  problems(): readonly RuleProblem[] {
    const lookup = (key: string) => this.#services.get(key)?.view;
    this.#problems ??= [
      ...[...this.#services.values()]
        .filter(({ view }) => view.policies.rules.length > 0 || view.policies.destination.policy !== '')
        .flatMap(({ view }) => ruleProblems(view, lookup)),
      ...namedProblems(this.#indexes.extensions, this.#world),
      ...this.#proxies.problems(this.#world?.policies),
    ];
    return this.#problems;
  }

  tcpServices(): readonly TcpService[] {
    return this.#tcp;
  }

  #draft(from: Indexes & Pick<Draft, 'world' | 'fleet'>): Draft {
    return {
      ...{ ...from, services: new Map(), served: new Map(), labels: new Map(), workloads: new Map(), units: new Map() },
      ...{ tcp: this.#tcp, base: this.#base, routes: undefined, gatewayRoutes: undefined, views: undefined },
    };
  }

  /** A proxy came or went; nothing else differs. */
  #proxyChanges(layer: LayerName): Change[] {
    const [fleet, world] = [this.#fleet, this.#world];
    if (fleet === undefined || world === undefined) return [];
    const draft = this.#draft({ world, fleet, ...this.#indexes });
    const common = this.#draftProxies(draft);
    if (!draft.units.has(layer)) draft.units.set(layer, this.#proxies.unit(layer, draft, common));
    const changes = this.#changes(draft);
    this.#commit(world, draft);
    return changes;
  }

  #changes({ units, views }: Draft): Change[] {
    return [...this.#ledger.changes(units), ...(views?.reads ?? [])];
  }

  #draftFleet(draft: Draft): void {
    const resources = fleetResources(draft.fleet);
    draft.units.set('fleet', resources);
    draft.base = resources.filter(({ layer }) => layer === 'sidecar').map(({ resource }) => resource);
  }

  #common(draft: Draft): CommonState {
    const hosts = draft.routes?.changes ?? new Map<string, readonly EncodedHost[]>();
    return {
      ...{ fleet: draft.fleet, base: draft.base, hosts: (draft.routes ?? this.#routes).sorted },
      service: (key) => this.#serviceIn(draft, key),
      keys: () => this.#liveServices(draft).map(({ input }) => input.key),
      hostsOf: (key) => hosts.get(key) ?? this.#routes.of(key),
      changed: new Set([...draft.services.keys(), ...hosts.keys()]),
      reshaped: new Set([...hosts.keys(), ...this.#changedIn(draft, isOtherwiseServed)]),
    };
  }

  /** Scopes, then proxies, which read of them. */
  #draftProxies(draft: Draft): CommonState {
    const common = this.#common(draft);
    const labelsAt = (address: string) => this.#proxies.labelsAt(address, draft);
    const relabelled = draft.labels.keys();
    draft.views = this.#views.stage({ proxies: this.#proxies.all, labelsAt, relabelled, scopes: draft.scopes, common });
    for (const [unit, items] of draft.views.units) draft.units.set(unit, items);
    const { policies, extensions } = this.#indexes;
    this.#proxies.draft(draft, common, { policies, extensions, world: this.#world, fleet: this.#fleet, tcp: this.#tcp });
    return common;
  }

  /** Keys of changed services that differ in a certain way. */
  #changedIn(draft: Draft, differs: typeof isReshaped): string[] {
    return [...draft.services].filter(([key, compiled]) => differs(this.#services.get(key), compiled)).map(([key]) => key);
  }

  #serviceIn(draft: Draft, key: string): CompiledService | undefined {
    return draft.services.has(key) ? draft.services.get(key) : this.#services.get(key);
  }

  #draftService(key: string, world: World, draft: Draft): void {
    const before = this.#services.get(key);
    const shards = world.shards.get(key) ?? NO_SHARDS;
    const external = externalInput(key, { entries: draft.entries, world }, before?.input.external);
    if (shards.size === 0 && external === undefined && !draft.policies.hosts.has(key)) {
      if (before !== undefined) draft.services.set(key, undefined);
    } else {
      // What clusters serve stays theirs, whoever describes it as well.
      const found = draft.policies.of(key, shards.size > 0 ? undefined : external?.entries.entries[0]?.namespace);
      const policies = before !== undefined && samePolicies(before.input.policies, found) ? before.input.policies : found;
      const guests = guestsOf(key, draft, before?.input.guests);
      const compiled = compiledService({ key, shards, external, guests, policies }, draft.fleet, before);
      if (compiled !== before) draft.services.set(key, compiled);
    }
    if (!draft.services.has(key)) return;
    const after = draft.services.get(key);
    draft.units.set(`service:${key}`, after === undefined ? [] : compiledResources(after));
    this.#addresses.stage(key, { before: before?.served ?? NONE, after: after?.served ?? NONE }, draft.served);
    this.#labels.stage(key, { before: before?.labels ?? NONE, after: after?.labels ?? NONE }, draft.labels);
  }

  /** Routes depend on the shapes of all services that rules lead to; they are put together only when a virtual host differs. */
  #draftRoutes(draft: Draft): void {
    const reshaped = new Set(this.#changedIn(draft, isReshaped));
    if (reshaped.size === 0 && this.#fleet !== undefined) return;
    const hosts = new Map<string, readonly EncodedHost[]>();
    for (const key of [...reshaped, ...this.#leading.to(reshaped)]) {
      const compiled = this.#serviceIn(draft, key);
      hosts.set(key, compiled === undefined ? [] : compiledHosts(compiled, (other) => this.#serviceIn(draft, other)?.view));
    }
    draft.routes = this.#routes.stage(hosts);
    draft.units.set('routes', placed('sidecar', [stagedRoutes(OUTBOUND, draft.routes)]));
    this.#draftShapes(draft);
    this.#draftTcp(draft, [...hosts.keys()]);
  }

  /** What depends on the ports and exports of all services, but on no rule. */
  #draftShapes(draft: Draft): void {
    const shaped = [...draft.services].filter(([key, compiled]) => this.#services.get(key)?.shape !== compiled?.shape);
    if (shaped.length === 0 && this.#fleet !== undefined) return;
    draft.gatewayRoutes = this.#gatewayRoutes.stage(new Map(shaped.map(([key, compiled]) => [key, compiled?.shape.gatewayHosts ?? []])));
    draft.units.set('gateway-routes', placed('gateway', [stagedRoutes(GATEWAY, draft.gatewayRoutes)]));
  }

  /** Listeners of TCP ports: by the shapes of services, and by rules for their connections. */
  #draftTcp(draft: Draft, keys: readonly string[]): void {
    const isTouched = keys.some((key) => {
      const [before, after] = [this.#services.get(key), this.#serviceIn(draft, key)];
      return before?.shape !== after?.shape || [before, after].some((one) => (one?.view.policies.connections ?? []).length > 0);
    });
    if (!isTouched && this.#fleet !== undefined) return;
    const lookup = (key: string) => this.#serviceIn(draft, key)?.view;
    const tcp = allocateTcpPorts(this.#liveServices(draft).flatMap((compiled) => tcpPortsOf(compiled.view, { lookup })));
    if (JSON.stringify(tcp) !== JSON.stringify(this.#tcp)) draft.tcp = tcp;
  }

  #liveServices(draft: Draft): CompiledService[] {
    const kept = [...this.#services.values()].filter((compiled) => !draft.services.has(compiled.input.key));
    return [...kept, ...[...draft.services.values()].filter((compiled) => compiled !== undefined)];
  }

  #check(draft: Draft): void {
    const services = [...draft.units].filter(([unit]) => unit.startsWith('service:')).map(([, unit]) => unit);
    const problems = [
      ...this.#ledger.conflicts(draft.units),
      ...services.flatMap(unpairedClusters),
      ...[...draft.services.values()].flatMap((compiled) => compiled?.endpoints.problems ?? []),
      ...(draft.routes === undefined ? [] : this.#routeProblems(draft, draft.routes)),
      ...(draft.gatewayRoutes?.shared ?? []),
    ];
    if (problems.length === 0) return;
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
    throw new AppError('invariant-broken', `compiled configuration was not given to proxies: ${problems[0]}${more}`);
  }

  #routeProblems(draft: Draft, routes: StagedHosts): string[] {
    const isThere = this.#ledger.lookup(draft.units);
    const anyGone = [...draft.services].some(([key, compiled]) => this.#services.get(key)?.shape !== compiled?.shape);
    return [...strayRoutes(routes, (name) => isThere({ layer: 'sidecar', type: 'CDS', name }), anyGone), ...routes.shared];
  }

  #commit(world: World, draft: Draft): void {
    this.#ledger.commit(draft.units);
    this.#addresses.commit(draft.served);
    this.#labels.commit(draft.labels);
    this.#proxies.commit(draft);
    if (draft.views !== undefined) this.#views.commit(draft.views);
    for (const [key, compiled] of draft.services) {
      this.#leading.replace(key, this.#services.get(key)?.leadsTo ?? NOWHERE, compiled?.leadsTo ?? NOWHERE);
      if (compiled === undefined) this.#services.delete(key);
      else this.#services.set(key, compiled);
    }
    if (draft.routes !== undefined) this.#routes.commit(draft.routes);
    if (draft.gatewayRoutes !== undefined) this.#gatewayRoutes.commit(draft.gatewayRoutes);
    this.#problems = undefined;
    this.#world = world;
    this.#fleet = draft.fleet;
    const { policies, scopes, entries, extensions } = draft;
    this.#indexes = { policies, scopes, entries, extensions };
    this.#base = draft.base;
    this.#tcp = draft.tcp;
  }
}

const NONE: ReadonlyMap<string, never> = new Map<string, never>();
const NOWHERE: ReadonlySet<string> = new Set();
const NO_SHARDS: ReadonlyMap<string, EndpointShard> = new Map();

function isReshaped(before: CompiledService | undefined, after: CompiledService | undefined): boolean {
  if (before === undefined || after === undefined) return before !== after;
  return before.shape !== after.shape || before.input.policies !== after.input.policies;
}

/** Whether a host has, or had, servers of ServiceEntries that are not as they were: those say to whom it is exported. */
function isOtherwiseServed(before: CompiledService | undefined, after: CompiledService | undefined): boolean {
  const [was, is] = [before?.input, after?.input];
  return was?.external !== is?.external || was?.shards.size !== is?.shards.size;
}
