/** What of the policies in force is not served as written: rules left out, destinations that answer 503, subsets without endpoints. Pure. */

import { hasSidecars } from '../services/external-host.ts';
import type { HostView, ServiceView } from '../services/service-view.ts';
import { meshProblems } from '../upstreams/destination-problems.ts';
import type { Subset } from '../upstreams/destination-rules.ts';
import { isForwarding } from '../upstreams/external-upstreams.ts';
import { type Caller, MESH } from './caller.ts';
import { connectionRoutes, isTcpPort } from './connection-routes.ts';
import { isHttpPort, type ServiceLookup } from './destinations.ts';
import { httpRoutes } from './http-routes.ts';
import type { HttpRule, VirtualServiceOwner } from './virtual-service-rules.ts';

/** One field of a policy. */
export interface RuleProblem {
  /** `KIND/NAMESPACE/NAME`. */
  readonly policy: string;
  readonly field: string;
  readonly message: string;
}

/** The problems of one service, at the host that its short name means; each field once. */
export function ruleProblems(view: ServiceView, lookup: ServiceLookup): RuleProblem[] {
  const host = view.hosts.find((candidate) => candidate.short) ?? view.hosts[0];
  const all = [
    ...rulesProblems(view, host, lookup),
    ...(host === undefined ? [] : view.subsets.flatMap((subset) => subsetProblems(subset, host))),
    ...(isOfMesh(view) ? meshProblems(view.policies.destination) : []),
  ];
  const seen = new Set<string>();
  return all.filter(({ policy, field }) => !seen.has(`${policy} ${field}`) && seen.add(`${policy} ${field}`));
}

/** Whether calls of the service are made by the mesh's own TLS: it is no host outside. */
function isOfMesh({ hosts }: ServiceView): boolean {
  return hosts.some(({ external }) => external === undefined || hasSidecars(external));
}

/** Builds what a caller is served whom every match means, and hears what of it is not as written. */
function rulesProblems(view: ServiceView, host: HostView | undefined, lookup: ServiceLookup): RuleProblem[] {
  const problems: RuleProblem[] = [];
  const report = (policy: string, field: string, message: string): void => void problems.push({ policy, field, message });
  // A host that no service has is called at port 80.
  const ports = host?.ports ?? [{ port: 80, protocol: 'http' as const }];
  const place = { scope: host?.scope, lookup, report };
  for (const { port } of ports.filter(isHttpPort)) {
    for (const rule of view.policies.rules.filter(({ owner }) => host !== undefined || owner.gateways.includes(MESH))) {
      const anyone = { ...rule, owner: seenByAll(rule.owner), rule: withoutCallers(rule.rule) };
      httpRoutes([anyone], { ...place, port, caller: callerOf(rule.owner) });
    }
  }
  for (const { port } of ports.filter(isTcpPort)) {
    for (const rule of view.policies.connections) {
      const anyone = { ...rule, owner: seenByAll(rule.owner), matches: [{}] };
      connectionRoutes([anyone], { ...place, port, caller: callerOf(rule.owner) });
    }
  }
  return problems;
}

function callerOf({ gateways }: VirtualServiceOwner): Caller {
  return { gateway: gateways[0] ?? MESH, scope: undefined };
}

function seenByAll(owner: VirtualServiceOwner): VirtualServiceOwner {
  return { ...owner, exportTo: undefined };
}

function withoutCallers(rule: HttpRule['rule']): HttpRule['rule'] {
  const match = rule.match?.map(
    ({ sourceLabels: _labels, sourceNamespace: _namespace, gateways: _gateways, port: _port, ...rest }) => rest,
  );
  return match === undefined ? rule : { ...rule, match };
}

function subsetProblems({ policy, index, name, labels }: Subset, host: HostView): RuleProblem[] {
  // Whom callers name has no endpoints that could be told apart.
  if (isForwarding(host)) return [];
  const endpoints = host.parts.flatMap(({ shard }) => shard.endpoints);
  if (endpoints.some((endpoint) => labels.every(([key, value]) => endpoint.labels[key] === value))) return [];
  const message = `no endpoint of ${host.host} is in the subset ${name}: requests for it are answered 503`;
  return [{ policy, field: `spec.subsets[${index}]`, message }];
}
