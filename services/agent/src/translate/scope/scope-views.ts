/** The views of all scopes that connected proxies have, and which layers each of these proxies reads. */

import type { Resource } from '@hawser/model/resource.ts';
import { defaultReads, type LayerName, type ReadsChange } from '../../snapshot/resource.ts';
import type { ProxyRef } from '../../state/world.ts';
import type { Placed } from '../resource-ledger.ts';
import { type ProxyScope, ROOT_NAMESPACE, scopeOf } from './scope.ts';
import { type ScopeIndex, sidecarsFor, tellsApart } from './scope-index.ts';
import { type CommonState, readsOf, type ScopeView, stagedView } from './scope-view.ts';

/** What views are made of. */
export interface ViewSources {
  readonly proxies: ReadonlyMap<LayerName, ProxyRef>;
  /** Labels of the workload at an address, as the own registry knows them; undefined when it does not know the address. */
  labelsAt(address: string): Readonly<Record<string, string>> | undefined;
  readonly scopes: ScopeIndex;
  readonly common: CommonState;
}

/** Views that were looked at and are not yet in force. */
export interface StagedViews {
  readonly views: ReadonlyMap<string, ScopeView>;
  /** Which view each proxy has. */
  readonly ids: ReadonlyMap<LayerName, string>;
  readonly units: ReadonlyMap<string, readonly Placed[]>;
  readonly reads: ReadonlyMap<LayerName, readonly LayerName[]>;
  /** Proxies whose own layers may differ. */
  readonly touched: ReadonlySet<LayerName>;
}

const NOTHING: StagedViews = { views: new Map(), ids: new Map(), units: new Map(), reads: new Map(), touched: new Set() };

/** Keeps the views. `stage` only looks; `commit` replaces. */
export class ScopeViews {
  #inForce = NOTHING;

  /** The view of a proxy; undefined for the common one. */
  of(layer: LayerName, staged = this.#inForce): ScopeView | undefined {
    return staged.views.get(staged.ids.get(layer) ?? '');
  }

  stage(sources: ViewSources): StagedViews {
    const scopes = scopesOf(sources);
    if (scopes.size === 0 && this.#inForce.views.size === 0) return NOTHING;
    const units = new Map<string, readonly Placed[]>();
    const views = this.#stageViews(sources, scopes, units);
    const ids = new Map([...scopes].map(([layer, { id }]) => [layer, id]));
    const reads = new Map([...scopes].map(([layer, { id }]) => [layer, readsFrom(views.get(id))]));
    const staged = { views, ids, units, reads, touched: new Set<LayerName>() };
    const touched = [...sources.proxies.keys()].filter((layer) => isTouched(this.of(layer), this.of(layer, staged)));
    return { ...staged, touched: new Set(touched) };
  }

  /** What becomes of the layers that proxies read. */
  changes({ reads }: StagedViews): ReadsChange[] {
    const before = this.#inForce.reads;
    return [...new Set([...before.keys(), ...reads.keys()])].sort().flatMap((layer) => {
      const [was, is] = [before.get(layer) ?? defaultReads(layer), reads.get(layer) ?? defaultReads(layer)];
      return was.join() === is.join() ? [] : [{ layer, reads: is }];
    });
  }

  commit(staged: StagedViews): void {
    this.#inForce = { ...staged, units: new Map(), touched: new Set() };
  }

  #stageViews(
    { proxies, scopes: index, common }: ViewSources,
    scopes: ReadonlyMap<LayerName, ProxyScope>,
    units: Map<string, readonly Placed[]>,
  ): Map<string, ScopeView> {
    const views = new Map<string, ScopeView>();
    // Sidecars are for workloads; an edge proxy is nobody's sidecar, and an outbound gateway not that of its own namespace.
    const sidecarsOf = (layer: LayerName, scope: ProxyScope): readonly Resource[] => {
      if (layer.startsWith('edge:')) return [];
      return proxies.get(layer)?.outboundGateway === true ? OUTBOUND_GATEWAY_BOUNDS : sidecarsFor(index, scope);
    };
    for (const [layer, scope] of scopes) {
      if (views.has(scope.id)) continue;
      const staged = stagedView(scope, sidecarsOf(layer, scope), { before: this.#inForce.views.get(scope.id), common });
      views.set(scope.id, staged.view);
      for (const [unit, items] of staged.units) units.set(unit, items);
    }
    for (const [id, view] of this.#inForce.views) if (!views.has(id)) for (const unit of view.filled) units.set(unit, []);
    return views;
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

/** The scopes of proxies that call services; one whose namespace is not known yet has the common view. */
function scopesOf({ proxies, labelsAt, scopes }: ViewSources): Map<LayerName, ProxyScope> {
  const found = new Map<LayerName, ProxyScope>();
  const areApart = tellsApart(scopes);
  for (const [layer, proxy] of proxies) {
    const isOutbound = proxy.outboundGateway === true;
    if (proxy.role === 'gateway' || proxy.namespace === undefined || (!areApart && !isOutbound)) continue;
    const scope = scopeOf(proxy, labelsAt(proxy.address) ?? proxy.labels ?? {}, scopes.labelKeys);
    const kind = proxy.role === 'edge' ? 'edge ' : isOutbound ? 'outbound gateway ' : '';
    found.set(layer, { ...scope, id: `${kind}${scope.id}` });
  }
  return found;
}

function readsFrom(view: ScopeView | undefined): readonly LayerName[] {
  return view === undefined ? ['sidecar'] : readsOf(view);
}

/** A proxy's own listeners depend on its Sidecar and on the TCP services that it may call. */
function isTouched(before: ScopeView | undefined, after: ScopeView | undefined): boolean {
  if (before === after) return false;
  return before?.bounds !== after?.bounds || connectionsOf(before) !== connectionsOf(after);
}

function connectionsOf(view: ScopeView | undefined): string {
  return JSON.stringify([[...(view?.tcp ?? [])], (view?.bound ?? []).map(({ tcp }) => tcp)]);
}
