/**
 * What one scope is served otherwise than everybody (decision 0017). Only what depends on the caller is compiled here; the rest is
 * taken as it was compiled and encoded for all. Pure: states are replaced, never changed.
 */

import type { Resource } from '@hawser/model/resource.ts';
import { hostKey } from '@hawser/model/service-host.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import type { LayerName, XdsResource } from '../../snapshot/resource.ts';
import type { Fleet } from '../fleet.ts';
import { anywhereCluster, elsewhereCluster } from '../listeners/elsewhere.ts';
import { type TcpPort, tcpPortsOf } from '../listeners/tcp-ports.ts';
import { OUTBOUND } from '../names.ts';
import type { ServicePolicies } from '../policy-index.ts';
import { type Placed, placed } from '../resource-ledger.ts';
import { connectionsDependOnScope } from '../routes/connection-routes.ts';
import { portOfHost } from '../routes/renamed-hosts.ts';
import { type EncodedHost, routeConfiguration } from '../routes/route-config.ts';
import { dependOnCaller } from '../routes/routes.ts';
import { type CompiledService, compiledHosts, compiledService, sidecarResources } from '../services/compiled-service.ts';
import { wantedCredentials } from '../upstreams/credential-secrets.ts';
import { dependsOnCaller, destinationPolicy } from '../upstreams/destination-rules.ts';
import { type BoundPart, boundParts } from './bound-parts.ts';
import { EditedMap } from './edited-map.ts';
import { importedPolicies, ruledPorts } from './imported-rules.ts';
import { isExportedTo, type ProxyScope } from './scope.ts';
import { boundedService, boundsOf, imports, type SidecarBounds } from './sidecar-bounds.ts';
import { tcpKeyOf } from './tcp-services.ts';

/** The state that all share, as it is being compiled. */
export interface CommonState {
  readonly fleet: Fleet;
  service(key: string): CompiledService | undefined;
  keys(): Iterable<string>;
  hostsOf(key: string): readonly EncodedHost[];
  /** All virtual hosts, by name. */
  readonly hosts: readonly EncodedHost[];
  /** What of the shared layer depends on no service. */
  readonly base: readonly XdsResource[];
  /** Services that are not as they were, or whose virtual hosts are not. */
  readonly changed: ReadonlySet<string>;
  /** Those of them that differ in more than where their endpoints are, or lead to one that does. */
  readonly reshaped: ReadonlySet<string>;
}

/** A scope's view as it was staged last. */
export interface ScopeView {
  readonly scope: ProxyScope;
  readonly layer: LayerName;
  readonly sidecars: readonly Resource[];
  readonly bounds: SidecarBounds | undefined;
  readonly fleet: Fleet;
  readonly base: readonly XdsResource[];
  /** Services that are compiled otherwise for this scope. */
  readonly variants: ReadonlyMap<string, Variant>;
  /** What a bounded scope may call. */
  readonly callable: Marks;
  /** What an unbounded scope may not call: ServiceEntries that are not exported to it. */
  readonly hidden: Marks;
  /** Services whose connections go elsewhere for some callers. */
  readonly connected: Marks;
  /** Virtual hosts of services: all that the scope may call if it is bounded, else those that differ. */
  readonly hosts: ReadonlyMap<string, readonly EncodedHost[]>;
  /** Services whose resources are in the layer, with those their rules lead to. */
  readonly reachable: ReadonlySet<string>;
  /** TCP ports by `HOST:PORT`: all that the scope may call if it is bounded, else those with rules of their own. */
  readonly tcp: ReadonlyMap<string, TcpPort | undefined>;
  /** Listeners of their own, for some of what may be called. */
  readonly bound: readonly BoundPart[];
  /** `NAMESPACE/NAME` of the Secrets that DestinationRules name for what the scope calls. */
  readonly credentials: ReadonlySet<string>;
  /** Units of the ledger that hold something. */
  readonly filled: ReadonlySet<string>;
}

/** Keys of services. */
type Marks = ReadonlyMap<string, true>;

interface Variant {
  readonly policies: ServicePolicies;
  readonly compiled: CompiledService;
}

/** A view and what is to be told of it. */
export interface StagedView {
  readonly view: ScopeView;
  readonly units: ReadonlyMap<string, readonly Placed[]>;
}

/** Stages the view of a scope for which these Sidecars hold; the view itself when nothing of it differs. */
export function stagedView(
  scope: ProxyScope,
  sidecars: readonly Resource[],
  about: { before?: ScopeView | undefined; common: CommonState },
): StagedView {
  const { before, common } = about;
  const isSame =
    before !== undefined &&
    before.fleet === common.fleet &&
    before.sidecars.length === sidecars.length &&
    sidecars.every((one, index) => one === before.sidecars[index]);
  const bounds = isSame ? before.bounds : boundsOf(sidecars, scope.namespace);
  const keys = isSame
    ? common.changed
    : new Set([...common.keys(), ...(before?.callable.keys() ?? []), ...(before?.hosts.keys() ?? []), ...(before?.variants.keys() ?? [])]);
  if (isSame && keys.size === 0 && before.base === common.base) return { view: before, units: new Map() };
  const layer: LayerName = before?.layer ?? `scope:${scope.namespace}:${sha256(scope.id).slice(0, 12)}`;
  const start = { scope, layer, sidecars, bounds, fleet: common.fleet, base: common.base };
  const staging = new Staging(start, before, common);
  staging.draft(keys);
  return isSame && staging.isAsBefore(keys, before) ? staging.moved(keys, before) : staging.anew(keys);
}

/** The layers that proxies of the scope read. */
export function readsOf({ bounds, layer, filled }: ScopeView): readonly LayerName[] {
  if (isBounded(bounds)) return [layer];
  return filled.size > 0 ? [layer, 'sidecar'] : ['sidecar'];
}

/** Whether the scope sees its own layer alone. */
export function isBounded(bounds: SidecarBounds | undefined): boolean {
  return bounds?.egress !== undefined;
}

/** The services and virtual hosts that a scope may call. */
export function callableOf(
  view: ScopeView,
  common: Pick<CommonState, 'service' | 'keys' | 'hosts' | 'hostsOf'>,
): { services: CompiledService[]; hosts: readonly EncodedHost[] } {
  const keys = isBounded(view.bounds) ? [...view.callable.keys()].sort() : [...common.keys()].filter((key) => !view.hidden.has(key));
  const services = keys.map((key) => view.variants.get(key)?.compiled ?? common.service(key)).filter((compiled) => compiled !== undefined);
  return { services, hosts: hostsIn(view, common) };
}

function hostsIn(
  { bounds, hosts }: Pick<ScopeView, 'bounds' | 'hosts'>,
  { hosts: all, hostsOf }: Pick<CommonState, 'hosts' | 'hostsOf'>,
): readonly EncodedHost[] {
  const own = [...hosts.values()].flat();
  if (isBounded(bounds)) return own.sort((a, b) => (a.name < b.name ? -1 : 1));
  if (hosts.size === 0) return all;
  // A service's virtual hosts have the same names for everybody, unless it is hidden.
  const byName = new Map(own.map((host) => [host.name, host]));
  const hidden = new Set([...hosts.keys()].flatMap((key) => hostsOf(key)).filter(({ name }) => !byName.has(name)));
  return all.flatMap((host) => (hidden.has(host) ? [] : [byName.get(host.name) ?? host]));
}

/** What follows from all services of a view together. */
type Derived = Pick<ScopeView, 'reachable' | 'tcp' | 'bound' | 'credentials'>;
type Start = Omit<ScopeView, keyof Derived | 'variants' | 'callable' | 'hidden' | 'connected' | 'hosts' | 'filled'>;

class Staging {
  readonly #start: Start;
  readonly #before: ScopeView | undefined;
  readonly #common: CommonState;
  readonly #variants: EditedMap<Variant>;
  readonly #callable: EditedMap<true>;
  readonly #hidden: EditedMap<true>;
  readonly #connected: EditedMap<true>;
  readonly #hosts: EditedMap<readonly EncodedHost[]>;
  readonly #units = new Map<string, readonly Placed[]>();

  constructor(start: Start, before: ScopeView | undefined, common: CommonState) {
    this.#start = start;
    this.#before = before;
    this.#common = common;
    this.#variants = new EditedMap(before?.variants);
    this.#callable = new EditedMap(before?.callable);
    this.#hidden = new EditedMap(before?.hidden);
    this.#connected = new EditedMap(before?.connected);
    this.#hosts = new EditedMap(before?.hosts);
  }

  draft(keys: ReadonlySet<string>): void {
    for (const key of keys) this.#draftVariant(key);
    for (const key of keys) this.#draftHosts(key);
  }

  /** Whether the changed services leave all else as it was: their endpoints have moved at most, or they are none of the scope's. */
  isAsBefore(keys: ReadonlySet<string>, before: ScopeView): boolean {
    const isEdited = [this.#callable, this.#hidden, this.#connected, this.#hosts].some((map) => map.isEdited);
    if (isEdited || before.base !== this.#start.base) return false;
    const shapeIn = (variants: ScopeView['variants'], key: string) => variants.get(key)?.compiled.shape;
    return keys
      .values()
      .every((key) =>
        this.#common.reshaped.has(key) ? this.#isForeign(key, before) : shapeIn(before.variants, key) === shapeIn(this.#variants.now, key),
      );
  }

  #isForeign(key: string, { reachable, bound, hidden, connected, filled }: ScopeView): boolean {
    if (reachable.has(key) || bound.length > 0) return false;
    if (isBounded(this.#start.bounds)) return true;
    return !this.#variants.now.has(key) && !hidden.has(key) && !connected.has(key) && !filled.has(this.#unit('routes'));
  }

  /** The view with the resources of the changed services alone. */
  moved(keys: ReadonlySet<string>, before: ScopeView): StagedView {
    for (const key of keys) if (before.reachable.has(key)) this.#units.set(this.#unit(`service:${key}`), this.#resources(key));
    return this.#units.size === 0 && !this.#variants.isEdited ? { view: before, units: this.#units } : this.#staged(before);
  }

  /** The view put together anew. */
  anew(keys: ReadonlySet<string>): StagedView {
    const bound = this.#boundParts();
    const reachable = isBounded(this.#start.bounds) ? this.#reachable(bound) : new Set(this.#variants.now.keys());
    const former = this.#before?.reachable ?? new Set<string>();
    for (const key of new Set([...keys, ...reachable.symmetricDifference(former)]))
      this.#units.set(this.#unit(`service:${key}`), reachable.has(key) ? this.#resources(key) : []);
    this.#draftBase();
    this.#draftRoutes(bound);
    const own = [...reachable].flatMap((key) => this.#variants.now.get(key)?.compiled.view ?? []);
    return this.#staged({ bound, reachable, tcp: this.#tcp(), credentials: wantedCredentials(own) });
  }

  #staged({ reachable, tcp, bound, credentials }: Derived): StagedView {
    const filled = new Set(this.#before?.filled);
    for (const [unit, items] of this.#units) {
      if (items.length > 0) filled.add(unit);
      else if (!filled.delete(unit)) this.#units.delete(unit);
    }
    const view = {
      ...this.#start,
      ...{ reachable, tcp, bound, credentials, filled },
      variants: this.#variants.now,
      callable: this.#callable.now,
      hidden: this.#hidden.now,
      connected: this.#connected.now,
      hosts: this.#hosts.now,
    };
    return { view, units: this.#units };
  }

  #draftVariant(key: string): void {
    const compiled = this.#common.service(key);
    const policies = compiled === undefined ? undefined : policiesFor(compiled, this.#start);
    if (compiled === undefined || policies === undefined) {
      this.#variants.put(key, undefined);
      return;
    }
    const before = this.#before?.variants.get(key);
    // The same object as before, so that nothing is compiled again that need not be.
    const isUnchanged = before?.policies === compiled.input.policies && this.#before?.bounds === this.#start.bounds;
    const kept = isUnchanged ? before.compiled.input.policies : policies;
    const variant = compiledService({ ...compiled.input, policies: kept }, this.#start.fleet, before?.compiled);
    const isKept = before?.compiled === variant && before.policies === compiled.input.policies;
    this.#variants.put(key, isKept ? before : { policies: compiled.input.policies, compiled: variant });
  }

  #draftHosts(key: string): void {
    const compiled = this.#compiled(key);
    const ports = compiled === undefined ? new Set<number>() : this.#allowedPorts(compiled);
    this.#note(key, ports);
    const own = compiled === undefined ? [] : this.#callableHosts(key, compiled, ports);
    const common = this.#common.hostsOf(key);
    const differ = isBounded(this.#start.bounds)
      ? own.length > 0
      : own.length !== common.length || own.some((host) => !common.includes(host));
    const before = this.#before?.hosts.get(key);
    const isKept = before?.length === own.length && before.every((host, at) => host === own[at]);
    this.#hosts.put(key, !differ ? undefined : isKept ? before : own);
  }

  #note(key: string, ports: ReadonlySet<number> | undefined): void {
    const compiled = this.#compiled(key);
    const connections = compiled?.view.policies.connections ?? [];
    const isConnected = connectionsDependOnScope(connections) || (connections.length > 0 && this.#leadsToVariant(compiled));
    const may = ports === undefined || ports.size > 0;
    const bounded = isBounded(this.#start.bounds);
    this.#connected.put(key, isConnected || undefined);
    this.#hidden.put(key, (!bounded && !may) || undefined);
    this.#callable.put(key, (bounded && may) || undefined);
  }

  #callableHosts(key: string, compiled: CompiledService, allowed: ReadonlySet<number> | undefined): readonly EncodedHost[] {
    const { scope } = this.#start;
    if (allowed?.size === 0) return [];
    const depends = this.#variants.now.has(key) || dependOnCaller(compiled.view) || this.#leadsToVariant(compiled);
    const hosts = depends ? compiledHosts(compiled, (other) => this.#compiled(other)?.view, scope) : this.#common.hostsOf(key);
    return allowed === undefined ? hosts : hosts.filter(({ name }) => allowed.has(portOfHost({ name })));
  }

  #leadsToVariant(compiled: CompiledService | undefined): boolean {
    return [...(compiled?.leadsTo ?? [])].some((other) => this.#variants.now.has(other));
  }

  /** Ports of a service that the scope may call; undefined: all of them. */
  #allowedPorts(compiled: CompiledService): ReadonlySet<number> | undefined {
    const { bounds, scope } = this.#start;
    if (!isServiceExported(compiled, scope)) return NO_PORTS;
    if (bounds === undefined || !isBounded(bounds)) return undefined;
    const { view } = compiled;
    const service = boundedService(view);
    if (view.hosts.length === 0) return ruledPorts(view, scope, bounds);
    const ports = view.hosts.flatMap((host) => host.ports);
    return new Set(ports.filter((port) => imports(bounds, service, port)).map(({ port }) => port));
  }

  /** What may be called, and what its rules lead to: a route to a service brings the service with it. */
  #reachable(bound: readonly BoundPart[]): Set<string> {
    const { bounds } = this.#start;
    const proxy = bounds?.egressProxy === undefined ? undefined : hostKey(bounds.egressProxy.host, bounds.namespace);
    const callable = new Set([...this.#callable.now.keys(), ...bound.flatMap(({ services }) => services)]);
    const led = [...callable].flatMap((key) => [...(this.#compiled(key)?.leadsTo ?? [])]);
    return new Set([...callable, ...led, ...(proxy === undefined ? [] : [proxy])]);
  }

  /** All of a service's resources for a bounded scope, else those that are not as everybody has them. */
  #resources(key: string): Placed[] {
    const common = this.#common.service(key);
    const own = this.#compiled(key);
    if (own === undefined) return [];
    const resources = sidecarResources(own);
    if (isBounded(this.#start.bounds)) return placed(this.#start.layer, resources);
    const versions = new Map(
      (common === undefined ? [] : sidecarResources(common)).map(({ type, name, version }) => [`${type} ${name}`, version]),
    );
    return placed(
      this.#start.layer,
      resources.filter(({ type, name, version }) => versions.get(`${type} ${name}`) !== version),
    );
  }

  #tcp(): Map<string, TcpPort | undefined> {
    const isOwn = isBounded(this.#start.bounds);
    const caller = { lookup: (key: string) => this.#compiled(key)?.view, scope: this.#start.scope };
    const keys = isOwn ? this.#callable.now.keys() : new Set([...this.#variants.now.keys(), ...this.#connected.now.keys()]);
    const ports = [...keys].flatMap((key) => {
      const compiled = this.#compiled(key);
      const allowed = compiled === undefined ? NO_PORTS : this.#allowedPorts(compiled);
      return compiled === undefined ? [] : tcpPortsOf(compiled.view, caller).filter(({ port }) => allowed?.has(port) !== false);
    });
    const hidden = [...this.#hidden.now.keys()].flatMap((key) => {
      const view = this.#compiled(key)?.view;
      return view === undefined ? [] : tcpPortsOf(view, caller);
    });
    return new Map([
      ...hidden.map((port) => [tcpKeyOf(port), undefined] as const),
      ...ports.map((port) => [tcpKeyOf(port), port] as const),
    ]);
  }

  #draftBase(): void {
    const { bounds, layer, base } = this.#start;
    this.#units.set(this.#unit('base'), isBounded(bounds) ? placed(layer, base) : []);
    this.#units.set(this.#unit('anywhere'), bounds?.elsewhere === 'ALLOW_ANY' ? placed(layer, [anywhereCluster()]) : []);
  }

  #draftRoutes(all: readonly BoundPart[]): void {
    const { bounds, layer } = this.#start;
    const elsewhere = elsewhereCluster(bounds, (key) => this.#compiled(key)?.view);
    const isOwn = isBounded(bounds) || this.#hosts.now.size > 0 || elsewhere !== undefined;
    const hosts = isOwn ? hostsIn({ bounds, hosts: this.#hosts.now }, this.#common) : [];
    const bound = all.filter(({ egress }) => egress.protocol === 'http');
    const boundRoutes = bound.map(({ egress, hosts }) => routeConfiguration(egress.name, hosts, elsewhere));
    this.#units.set(this.#unit('bound'), placed(layer, boundRoutes));
    this.#units.set(this.#unit('routes'), isOwn ? placed(layer, [routeConfiguration(OUTBOUND, hosts, elsewhere)]) : []);
  }

  #boundParts(): readonly BoundPart[] {
    const { bounds, scope } = this.#start;
    return boundParts(bounds, {
      services: () =>
        [...this.#common.keys()]
          .map((key) => this.#compiled(key))
          .filter((compiled) => compiled !== undefined)
          .filter((compiled) => isServiceExported(compiled, scope)),
      hostsOf: (compiled, ports) => this.#callableHosts(compiled.input.key, compiled, ports),
      caller: { lookup: (key) => this.#compiled(key)?.view, scope },
    });
  }

  #compiled(key: string): CompiledService | undefined {
    return this.#variants.now.get(key)?.compiled ?? this.#common.service(key);
  }

  #unit(name: string): string {
    return `${this.#start.layer} ${name}`;
  }
}

/** The policies of a service as the scope sees them; undefined when that is as everybody does. */
function policiesFor({ input, view }: CompiledService, { scope, bounds }: Pick<Start, 'scope' | 'bounds'>): ServicePolicies | undefined {
  const policies = importedPolicies(input.policies, view, bounds);
  const { destinations, owner } = policies;
  const isOne = policies === input.policies;
  if (!dependsOnCaller(destinations, owner)) return isOne ? undefined : policies;
  const destination = destinationPolicy(destinations, owner, scope);
  if (JSON.stringify(destination) === JSON.stringify(policies.destination)) return isOne ? undefined : policies;
  return { ...policies, destination, subsets: destination.subsets };
}

const NO_PORTS: ReadonlySet<number> = new Set();

/** A host of ServiceEntries alone may be hidden from the scope's namespace. */
function isServiceExported({ input }: CompiledService, { namespace }: ProxyScope): boolean {
  if (input.external === undefined || input.shards.size > 0) return true;
  return input.external.entries.entries.some((entry) => isExportedTo(entry.spec.exportTo, entry.namespace, namespace));
}
