/** What belongs to single proxies: which of them an update touches, and what they are given then. */
import { type LayerName, ownLayer, type XdsResource } from '../snapshot/resource.ts';
import type { ProxyRef, World } from '../state/world.ts';
import type { AddressIndex } from './address-index.ts';
import { CaptureCompiler } from './capture/capture.ts';
import { namesListener, outboundGatewayNames } from './capture/capture-names.ts';
import { namedHosts } from './capture/named-hosts.ts';
import type { VirtualRange } from './capture/virtual-addresses.ts';
import type { Draft } from './draft.ts';
import { EdgeCompiler } from './edge/edge-compiler.ts';
import type { Fleet } from './fleet.ts';
import type { Indexes } from './indexes.ts';
import { elsewhereCluster } from './listeners/elsewhere.ts';
import type { ServedPort } from './listeners/inbound.ts';
import type { TcpService } from './listeners/tcp-ports.ts';
import { proxyResources } from './proxy-resources.ts';
import { type Placed, placed } from './resource-ledger.ts';
import type { ServiceLookup } from './routes/destinations.ts';
import type { RuleProblem } from './routes/rule-problems.ts';
import { type CommonState, callableOf, type ScopeView } from './scope/scope-view.ts';
import type { ScopeViews } from './scope/scope-views.ts';
import { tcpServicesOf } from './scope/tcp-services.ts';
import type { CompiledService } from './services/compiled-service.ts';
import { providerServices, workloadOf } from './telemetry/extension-policies.ts';
import { observedAll } from './telemetry/observed-listeners.ts';
import { proxyTelemetry } from './telemetry/proxy-telemetry.ts';
import { credentialSecrets } from './upstreams/credential-secrets.ts';
import { WorkloadsCompiler } from './workloads-compiler.ts';

/** What proxies were compiled from last. */
export interface GivenState extends Pick<Indexes, 'policies' | 'extensions'> {
  readonly world: World | undefined;
  readonly fleet: Fleet | undefined;
  readonly tcp: readonly TcpService[];
}

/** What is known of proxies beside the services, kept by the translator. */
export interface ProxyIndexes {
  readonly views: ScopeViews;
  readonly addresses: AddressIndex<readonly ServedPort[]>;
  readonly labels: AddressIndex<Readonly<Record<string, string>>>;
}

const NONE: ReadonlyMap<string, never> = new Map<string, never>();
const NOTHING: ReadonlySet<string> = new Set();
const MOST_CAPTURES = 50;
const ROLES = ['sidecar', 'gateway', 'edge'] as const;
/** The unit of the routes that all proxies share; a scope's own is its layer's. */
const ROUTES = 'routes';

/** Compiles the proxies of one translator. */
export class ProxyCompiler {
  /** By own layer; changed by the translator. */
  readonly all = new Map<LayerName, ProxyRef>();
  readonly #range: VirtualRange;
  readonly #indexes: ProxyIndexes;
  readonly #captures = new Map<LayerName, CaptureCompiler>();
  readonly #edges = new EdgeCompiler();
  readonly #workloads: WorkloadsCompiler;

  /** Names of the mesh get addresses of `range`. */
  constructor(range: VirtualRange, indexes: ProxyIndexes) {
    this.#range = range;
    this.#indexes = indexes;
    this.#workloads = new WorkloadsCompiler(indexes.addresses, (address, draft) => this.labelsAt(address, draft));
  }

  /** Puts the units of touched proxies into the draft. */
  draft(draft: Draft, common: CommonState, given: GivenState): void {
    const isObservedAnew = draft.extensions !== given.extensions || !providerServices(draft.extensions).isDisjointFrom(draft.services);
    this.#workloads.draft(draft, common, isObservedAnew || draft.fleet !== given.fleet);
    const areAllTouched =
      isObservedAnew ||
      draft.world.credentials !== given.world?.credentials ||
      draft.tcp !== given.tcp ||
      draft.fleet !== given.fleet ||
      given.policies.closesGateways(draft.world.self) !== draft.policies.closesGateways(draft.world.self);
    for (const layer of areAllTouched ? this.all.keys() : this.#touched(draft, given))
      draft.units.set(layer, this.unit(layer, draft, common));
  }

  /** Keeps what a draft came to. */
  commit(draft: Draft): void {
    this.#workloads.commit(draft);
  }

  /** All that is in a proxy's own layer; nothing when the proxy is gone. */
  unit(layer: LayerName, draft: Draft, common: CommonState): Placed[] {
    const proxy = this.all.get(layer);
    if (proxy === undefined) return [];
    const own = this.#ownResources(proxy, draft, common);
    const known = new Set(own.map(({ name }) => name));
    const secrets = credentialSecrets(this.#indexes.views.of(layer, draft.views)?.credentials ?? NOTHING, draft.world.credentials ?? NONE);
    return placed(layer, [...own, ...secrets.filter(({ name }) => !known.has(name))]);
  }

  /** What the own registry says of the workload at an address; undefined when it does not know the address. */
  labelsAt(address: string, draft: Draft): Readonly<Record<string, string>> | undefined {
    const said = this.#indexes.labels.at(address, draft.labels);
    return said.length === 0 ? undefined : Object.assign({}, ...said);
  }

  /** What of the policies for edge proxies is not served as written. */
  problems(policies: World['policies'] = NONE): RuleProblem[] {
    return this.#edges.problems(this.all.values(), policies);
  }

  /** Proxies of whose workloads or views something else is said; and those that tell names, or are an edge, while what they tell may differ. */
  #touched(draft: Draft, given: GivenState): ReadonlySet<LayerName> {
    const addresses = [...draft.served.keys(), ...draft.labels.keys()];
    const told = addresses.flatMap((address) => ROLES.map((role) => ownLayer({ role, address })));
    const touched = new Set([...told, ...(draft.views?.touched ?? [])]).intersection(this.all);
    const areHeldAnew = draft.world.heldAddresses !== given.world?.heldAddresses;
    const areEdgesTouched = this.#touchesEdges(draft, given);
    if (!areHeldAnew && !areEdgesTouched && !draft.units.keys().some(isRoutes)) return touched;
    for (const [layer, proxy] of this.all) {
      const isTouched = proxy.role === 'edge' ? areEdgesTouched : tellsNames(proxy) && (areHeldAnew || this.#callsOthers(layer, draft));
      if (isTouched) touched.add(layer);
    }
    return touched;
  }

  #touchesEdges({ world, policies, units, services }: Draft, given: GivenState): boolean {
    if (services.size > 0 && this.#edges.followsEndpoints(world.policies)) return true;
    return units.has('routes') || units.has('fleet') || policies !== given.policies || world.credentials !== given.world?.credentials;
  }

  /** Whether the names and routes of a caller by names may differ. */
  #callsOthers(layer: LayerName, draft: Draft): boolean {
    return draft.units.has(ROUTES) || draft.units.has(`${this.#indexes.views.of(layer, draft.views)?.layer} ${ROUTES}`);
  }

  #ownResources(proxy: ProxyRef, draft: Draft, common: CommonState): readonly XdsResource[] {
    const { views, addresses } = this.#indexes;
    const layer = ownLayer(proxy);
    const served = addresses.at(proxy.address, draft.served).flat();
    const workload = workloadOf(proxy, { served, labels: this.labelsAt(proxy.address, draft), cluster: draft.fleet.self.name });
    const lookup: ServiceLookup = (key) => common.service(key)?.view;
    const telemetry = proxyTelemetry(workload, draft.extensions, { fleet: draft.fleet, lookup, isEdge: proxy.role === 'edge' });
    const { policies, credentials = NONE } = draft.world;
    if (proxy.role === 'edge') {
      const about = { policies, credentials, fleet: draft.fleet, lookup, views: () => liveServices(common).map(({ view }) => view) };
      return observedAll(this.#edges.resources(proxy, about, served), telemetry);
    }
    const view = views.of(layer, draft.views);
    const tcp = view === undefined ? draft.tcp : tcpServicesOf(view, draft.tcp);
    const { namespace } = proxy;
    const secrets = namespace === undefined ? undefined : { namespace, credentials };
    const named = this.#named(proxy, { view, common, held: draft.world.heldAddresses });
    const isGatewayDrained = draft.policies.closesGateways(draft.world.self);
    const about = { bounds: view?.bounds, bound: view?.bound ?? [], secrets, severed: draft.fleet.severed, isGatewayDrained };
    return proxyResources(proxy, { served, tcp, named, telemetry, ...about });
  }

  /** What callers by names need: a captured workload, or those of an outbound gateway. */
  #named(
    proxy: ProxyRef,
    { view, common, held }: { view: ScopeView | undefined; common: CommonState; held: World['heldAddresses'] },
  ): XdsResource[] {
    if (!tellsNames(proxy)) return [];
    const { capture, namespace, fetchesUpstreams } = proxy;
    const { scope, bounds, bound = [] } = view ?? {};
    const callable = view === undefined ? { services: liveServices(common), hosts: common.hosts } : callableOf(view, common);
    const lookup: ServiceLookup = (key) => (view?.variants.get(key)?.compiled ?? common.service(key))?.view;
    if (capture === undefined) {
      const hosts = callable.services.flatMap((one) => namedHosts(one.view, { lookup, scope }));
      return [namesListener(), outboundGatewayNames(hosts, { held, range: this.#range })];
    }
    return this.#captureOf(view?.layer).resources(capture, {
      ...{ views: callable.services.map((one) => one.view), hosts: callable.hosts, lookup, scope, bounds, bound, held, namespace },
      ...{ elsewhere: bounds?.elsewhere ?? 'ALLOW_ANY', fallback: elsewhereCluster(bounds, lookup) },
      fetches: fetchesUpstreams === true,
    });
  }

  /** Each view's compiler remembers what it made. */
  #captureOf(layer: LayerName = 'sidecar'): CaptureCompiler {
    const known = this.#captures.get(layer);
    if (known !== undefined) return known;
    if (this.#captures.size >= MOST_CAPTURES) this.#captures.clear();
    const made = new CaptureCompiler(this.#range);
    this.#captures.set(layer, made);
    return made;
  }
}

function isRoutes(unit: string): boolean {
  return unit === ROUTES || unit.endsWith(` ${ROUTES}`);
}

/** Whether the proxy tells callers what names mean. */
function tellsNames({ capture, outboundGateway }: ProxyRef): boolean {
  return capture !== undefined || outboundGateway === true;
}

function liveServices(common: CommonState): CompiledService[] {
  return [...common.keys()].map((key) => common.service(key)).filter((compiled) => compiled !== undefined);
}
