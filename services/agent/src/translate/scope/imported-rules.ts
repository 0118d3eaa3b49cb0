/** Rules of VirtualServices for a caller that a Sidecar bounds: they are let in by their namespace, as services are (Istio's egress.hosts). Pure. */
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import type { ServicePolicies } from '../policy-index.ts';
import { isBound, MESH } from '../routes/caller.ts';
import type { ServiceView } from '../services/service-view.ts';
import type { ProxyScope } from './scope.ts';
import { boundedService, imports, importsRules, type SidecarBounds } from './sidecar-bounds.ts';

/** The policies of a service without the rules that are not let in; the same object where all are. */
export function importedPolicies(policies: ServicePolicies, view: ServiceView, bounds: SidecarBounds | undefined): ServicePolicies {
  if (bounds?.egress === undefined || policies.rules.length + policies.connections.length === 0) return policies;
  const service = boundedService(view);
  const isLetIn = (rule: { readonly owner: { readonly namespace: string } }): boolean =>
    importsRules(bounds, service, rule.owner.namespace);
  const rules = policies.rules.filter(isLetIn);
  const connections = policies.connections.filter(isLetIn);
  const isWhole = rules.length === policies.rules.length && connections.length === policies.connections.length;
  return isWhole ? policies : { ...policies, rules, connections };
}

/** Hosts that rules alone make are called at port 80. */
const RULED_PORT: ServicePort = { name: 'http', port: 80, protocol: 'http' };

/** The ports of a host that no service has: its own, if it is let in as one of the namespace of a VirtualService that names it. */
export function ruledPorts(view: ServiceView, scope: ProxyScope, bounds: SidecarBounds): ReadonlySet<number> {
  const service = boundedService(view);
  const ours = view.policies.rules.filter(({ owner, rule }) => isBound(owner, rule.match ?? [], { gateway: MESH, scope }));
  const isLetIn = ours.some(({ owner }) => imports(bounds, { ...service, namespace: owner.namespace }, RULED_PORT));
  return new Set(isLetIn ? [RULED_PORT.port] : []);
}
