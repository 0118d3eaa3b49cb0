/** The views of all scopes that connected proxies have, and which layers each of these proxies reads: an update looks at what may differ. */

import type { Resource } from '@hawser/model/resource.ts';
import { defaultReads, type LayerName, ownLayer, type ReadsChange } from '../../snapshot/resource.ts';
import type { ProxyRef } from '../../state/world.ts';
import type { Placed } from '../resource-ledger.ts';
import { type ProxyScope, ROOT_NAMESPACE, scopeOf } from './scope.ts';
import { NO_SCOPES, type ScopeIndex, sidecarsFor, tellsApart } from './scope-index.ts';
import { type CommonState, readsOf, type ScopeView, stagedView } from './scope-view.ts';

/** What views are made of. */
export interface ViewSources {
  readonly proxies: ReadonlyMap<LayerName, ProxyRef>;
  /** Labels of the workload at an address, as the own registry knows them; undefined when it does not know the address. */
  labelsAt(address: string): Readonly<Record<string, string>> | undefined;
  /** Addresses of which it may say something else than at the last commit. */
  readonly relabelled: Iterable<string>;
  readonly scopes: ScopeIndex;
  readonly common: CommonState;
}

/** Who calls: proxies that policy does not tell apart have one. */
interface Caller extends ProxyScope {
  readonly kind: 'sidecar' | 'edge' | 'outbound gateway';
}

/** Views that were looked at and are not yet in force. */
export interface StagedViews {
  /** By the caller's id, all of them. */
  readonly views: ReadonlyMap<string, ScopeView>;
  /** Proxies that speak for another caller than before; undefined: they have the common view, or are gone. */
  readonly moved: ReadonlyMap<LayerName, Caller | undefined>;
  readonly units: ReadonlyMap<string, readonly Placed[]>;
  /** What becomes of the layers that proxies read. */
  readonly reads: readonly ReadsChange[];
  /** Proxies whose own layers may differ. */
  readonly touched: ReadonlySet<LayerName>;
  readonly scopes: ScopeIndex;
}

/** A caller in force, and the proxies that speak for it. */
interface Members {
  readonly caller: Caller;
  readonly layers: Set<LayerName>;
}

/** Keeps the views. `stage` only looks; `commit` replaces. */
export class ScopeViews {
  #views: ReadonlyMap<string, ScopeView> = new Map();
  #scopes: ScopeIndex = NO_SCOPES;
  /** By the caller's id. */
  readonly #members = new Map<string, Members>();
  readonly #callers = new Map<LayerName, Caller>();
  /** Proxies that came or went since the last commit. */
  readonly #arrivals = new Set<LayerName>();

  /** A proxy came, is another one or went. */
  touch(layer: LayerName): void {
    this.#arrivals.add(layer);
  }

  /** The view of a proxy; undefined for the common one. */
  of(layer: LayerName, staged?: Pick<StagedViews, 'views' | 'moved'>): ScopeView | undefined {
    const caller = staged?.moved.has(layer) === true ? staged.moved.get(layer) : this.#callers.get(layer);
    return caller === undefined ? undefined : (staged?.views ?? this.#views).get(caller.id);
  }

  stage(sources: ViewSources): StagedViews {
    const moved = this.#moved(sources);
    const staged = { ...this.#stageViews(sources, this.#callersAfter(moved)), moved, scopes: sources.scopes };
    const affected = [...new Set([...moved.keys(), ...this.#membersOfOthers(staged.views)])].sort();
    const pairs = affected.map((layer) => ({ layer, was: this.of(layer), is: this.of(layer, staged) }));
    return {
      ...staged,
      reads: pairs.flatMap(({ layer, was, is }) => {
        const reads = readsFrom(layer, is);
        return readsFrom(layer, was).join() === reads.join() ? [] : [{ layer, reads }];
      }),
      touched: new Set(pairs.filter(({ was, is }) => isTouched(was, is)).map(({ layer }) => layer)),
    };
  }

  commit({ views, moved, scopes }: StagedViews): void {
    for (const [layer, caller] of moved) {
      this.#leave(layer);
      if (caller !== undefined) this.#join(layer, caller);
    }
    this.#arrivals.clear();
    this.#views = views;
    this.#scopes = scopes;
  }

  #leave(layer: LayerName): void {
    const { id = '' } = this.#callers.get(layer) ?? {};
    const members = this.#members.get(id);
    members?.layers.delete(layer);
    if (members?.layers.size === 0) this.#members.delete(id);
    this.#callers.delete(layer);
  }

  #join(layer: LayerName, caller: Caller): void {
    const members = this.#members.get(caller.id) ?? { caller, layers: new Set() };
    members.layers.add(layer);
    this.#members.set(caller.id, members);
    this.#callers.set(layer, caller);
  }

  /** Only who came, went or has other labels may be another caller, until policy asks for something else. */
  #moved({ proxies, labelsAt, relabelled, scopes }: ViewSources): Map<LayerName, Caller | undefined> {
    const relabelledLayers = [...relabelled].flatMap((address) => CALLING_ROLES.map((role) => ownLayer({ role, address })));
    const layers = asksAlike(this.#scopes, scopes)
      ? new Set([...this.#arrivals, ...relabelledLayers])
      : new Set([...proxies.keys(), ...this.#callers.keys()]);
    const moved = new Map<LayerName, Caller | undefined>();
    for (const layer of layers) {
      const proxy = proxies.get(layer);
      const is = proxy === undefined ? undefined : callerOf(proxy, labelsAt, scopes);
      if (is?.id !== this.#callers.get(layer)?.id) moved.set(layer, is);
    }
    return moved;
  }

  /** Callers that have a proxy once `moved` is in force. */
  #callersAfter(moved: ReadonlyMap<LayerName, Caller | undefined>): Caller[] {
    const leaving = Map.groupBy(moved.keys(), (layer) => this.#callers.get(layer)?.id);
    const kept = [...this.#members].filter(([id, { layers }]) => layers.size > (leaving.get(id)?.length ?? 0));
    const coming = [...moved.values()].filter((caller) => caller !== undefined).map((caller) => [caller.id, caller] as const);
    return [...new Map([...kept.map(([id, { caller }]) => [id, caller] as const), ...coming]).values()];
  }

  /** Proxies that stay with their caller while its view differs in more than its own layer. */
  #membersOfOthers(views: ReadonlyMap<string, ScopeView>): LayerName[] {
    return [...this.#members].flatMap(([id, { layers }]) => {
      const [was, is] = [this.#views.get(id), views.get(id)];
      if (was === is || was === undefined || is === undefined) return [];
      return isTouched(was, is) || readsOf(was).join() !== readsOf(is).join() ? [...layers] : [];
    });
  }

  #stageViews({ scopes, common }: ViewSources, callers: readonly Caller[]): Pick<StagedViews, 'views' | 'units'> {
    const [views, units] = [new Map<string, ScopeView>(), new Map<string, readonly Placed[]>()];
    for (const caller of callers) {
      const staged = stagedView(caller, sidecarsOf(caller, scopes), { before: this.#views.get(caller.id), common });
      views.set(caller.id, staged.view);
      for (const [unit, items] of staged.units) units.set(unit, items);
    }
    for (const [id, view] of this.#views) if (!views.has(id)) for (const unit of view.filled) units.set(unit, []);
    return { views, units };
  }
}

/**
 * What an outbound gateway may be asked for, by whoever reaches it: services of the clusterset. Neither services of its own cluster alone
 * nor hosts outside: to those its callers have their own ways, which network policies may have closed.
 */
const OUTBOUND_GATEWAY_BOUNDS: readonly Resource[] = [
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: { namespace: ROOT_NAMESPACE, name: 'outbound-gateway' },
    spec: { egress: [{ hosts: ['*/*.svc.clusterset.local'] }] },
  },
];

/** Sidecars are for workloads; an edge proxy is nobody's sidecar, and an outbound gateway not that of its own namespace. */
function sidecarsOf(caller: Caller, scopes: ScopeIndex): readonly Resource[] {
  if (caller.kind === 'edge') return NO_SIDECARS;
  return caller.kind === 'outbound gateway' ? OUTBOUND_GATEWAY_BOUNDS : sidecarsFor(scopes, caller);
}

const NO_SIDECARS: readonly Resource[] = [];

/** Roles of proxies that call services. */
const CALLING_ROLES = ['sidecar', 'edge'] as const;

/** The caller that a proxy speaks for; undefined for one that calls nobody, that nothing tells apart, or whose namespace is not known yet. */
function callerOf(proxy: ProxyRef, labelsAt: ViewSources['labelsAt'], scopes: ScopeIndex): Caller | undefined {
  const isOutbound = proxy.outboundGateway === true;
  if (proxy.role === 'gateway' || proxy.namespace === undefined || (!tellsApart(scopes) && !isOutbound)) return undefined;
  const scope = scopeOf(proxy, labelsAt(proxy.address) ?? proxy.labels ?? {}, scopes.labelKeys);
  const kind = proxy.role === 'edge' ? 'edge' : isOutbound ? 'outbound gateway' : 'sidecar';
  return { ...scope, kind, id: kind === 'sidecar' ? scope.id : `${kind} ${scope.id}` };
}

/** Whether two states of policy tell callers apart by the same. */
function asksAlike(a: ScopeIndex, b: ScopeIndex): boolean {
  return tellsApart(a) === tellsApart(b) && a.labelKeys.symmetricDifference(b.labelKeys).size === 0;
}

function readsFrom(layer: LayerName, view: ScopeView | undefined): readonly LayerName[] {
  return view === undefined ? defaultReads(layer) : readsOf(view);
}

/** A proxy's own layer depends on its Sidecar, on the TCP services that it may call, and on the Secrets that rules name for its calls. */
function isTouched(before: ScopeView | undefined, after: ScopeView | undefined): boolean {
  if (before?.bounds !== after?.bounds) return true;
  const isSame = before?.tcp === after?.tcp && before?.bound === after?.bound && before?.credentials === after?.credentials;
  return !isSame && ownPartsOf(before) !== ownPartsOf(after);
}

function ownPartsOf({ tcp = new Map(), bound = [], credentials = new Set() }: Partial<ScopeView> = {}): string {
  return JSON.stringify([[...tcp], bound.map((part) => part.tcp), [...credentials].sort()]);
}
