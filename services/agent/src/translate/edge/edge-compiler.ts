/** The edge proxies of one translator, with what is wrong with the policies that are for them. No I/O. */
import type { Resource } from '@hawser/model/resource.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import type { Credentials } from '../../state/credential.ts';
import type { ProxyRef } from '../../state/world.ts';
import type { Fleet } from '../fleet.ts';
import type { ServedPort } from '../listeners/inbound.ts';
import type { ServiceLookup } from '../routes/destinations.ts';
import type { RuleProblem } from '../routes/rule-problems.ts';
import type { ServiceView } from '../services/service-view.ts';
import { compileEdge } from './compile-edge.ts';
import { type EdgeIndex, edgeIndex } from './edge-index.ts';
import { bindingProblems } from './edge-problems.ts';
import { delegatesAmong } from './edge-routes.ts';

/** The state that edge proxies are compiled from. */
export interface EdgeWorld {
  readonly policies: ReadonlyMap<string, Resource>;
  readonly credentials: Credentials;
  readonly fleet: Fleet;
  readonly lookup: ServiceLookup;
  readonly views: () => Iterable<ServiceView>;
}

/** Compiles edge proxies; indexes each set of policies once. */
export class EdgeCompiler {
  #policies: ReadonlyMap<string, Resource> | undefined;
  #index: EdgeIndex = { gateways: [], services: [] };
  /** By address, as compiled last. */
  readonly #problems = new Map<string, readonly RuleProblem[]>();

  /** Everything of the proxy's own layer. */
  resources(proxy: ProxyRef, world: EdgeWorld, served: readonly ServedPort[]): readonly XdsResource[] {
    const { address, namespace = '', labels = {} } = proxy;
    const compiled = compileEdge({
      ...{ address, served, index: this.#indexed(world.policies), scope: { id: address, namespace, labels } },
      ...{
        credentials: world.credentials,
        fleet: world.fleet,
        lookup: world.lookup,
        views: world.views,
        delegates: delegatesAmong(world.policies),
      },
    });
    this.#problems.set(address, compiled.problems);
    return compiled.resources;
  }

  /** What of Gateways, and of what is bound to them, is not served as written; each field once. */
  problems(proxies: Iterable<ProxyRef>, policies: ReadonlyMap<string, Resource>): RuleProblem[] {
    const edges = [...proxies].filter(({ role }) => role === 'edge');
    const all = [...edges.flatMap(({ address }) => this.#problems.get(address) ?? []), ...bindingProblems(this.#indexed(policies), edges)];
    const seen = new Set<string>();
    return all.filter(({ policy, field }) => !seen.has(`${policy} ${field}`) && seen.add(`${policy} ${field}`));
  }

  /** Whether an edge proxy is led to endpoints by its own resources, which change with them. */
  followsEndpoints(policies: ReadonlyMap<string, Resource>): boolean {
    const servers = this.#indexed(policies).gateways.flatMap(({ spec }) => spec.servers ?? []);
    return servers.some(({ tls }) => tls?.mode === 'AUTO_PASSTHROUGH');
  }

  #indexed(policies: ReadonlyMap<string, Resource>): EdgeIndex {
    if (this.#policies !== policies) this.#index = edgeIndex(policies);
    this.#policies = policies;
    return this.#index;
  }
}
