/** Virtual hosts of what workloads call: one per service port and host, with the rules of its VirtualServices. */
import { create } from '@bufbuild/protobuf';
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import { clusterLocalHost, clustersetHost, parseServiceKey } from '@hawser/model/service-host.ts';
import { type VirtualHost, VirtualHostSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { upstreamName } from '../names.ts';
import type { ProxyScope } from '../scope/scope.ts';
import type { HostView, ServiceView } from '../services/service-view.ts';
import { type Caller, MESH } from './caller.ts';
import { isHttpPort, type ServiceLookup } from './destinations.ts';
import { withHashPolicies } from './hash-routes.ts';
import { httpRoutes, isCatchAll, rulesDependOnScope } from './http-routes.ts';
import { methodRoutes } from './method-routes.ts';
import { answer, forwardTo } from './route-actions.ts';
import { SILENT } from './rule-report.ts';
import { splitRoutes } from './split-routes.ts';
import { wholeRule } from './split-rules.ts';

/** Virtual hosts of a service's HTTP ports, as the caller sees them; without a scope, as nobody in particular does. */
export function virtualHosts(view: ServiceView, lookup: ServiceLookup, scope?: ProxyScope): VirtualHost[] {
  const caller: Caller = { gateway: MESH, scope };
  if (view.hosts.length === 0) return [ruledHost(view, { lookup, caller })].filter((host) => host !== undefined);
  return view.hosts.flatMap((host) => host.ports.filter(isHttpPort).map((port) => virtualHost(view, { host, port }, { lookup, caller })));
}

/** Whether a service's virtual hosts differ between callers: sourceLabels, sourceNamespace, exportTo. */
export function dependOnCaller(view: ServiceView): boolean {
  return rulesDependOnScope(view.policies.rules);
}

interface Where {
  readonly host: HostView;
  readonly port: ServicePort;
}

function virtualHost(view: ServiceView, where: Where, { lookup, caller }: { lookup: ServiceLookup; caller: Caller }): VirtualHost {
  const rules = httpRoutes(view.policies.rules, { caller, lookup, scope: where.host.scope, port: where.port.port });
  const isCaught = rules.some(isCatchAll);
  return create(VirtualHostSchema, {
    name: `${where.host.host}:${where.port.port}`,
    domains: domains(view, where),
    routes: withHashPolicies(isCaught ? rules : [...rules, ...lastRoutes(view, where, { isRuled: rules.length > 0, lookup })], lookup),
  });
}

/** A host that no service has, by the rules of the VirtualServices that name it: at port 80, as Istio has it. */
function ruledHost({ key, policies }: ServiceView, { lookup, caller }: { lookup: ServiceLookup; caller: Caller }): VirtualHost | undefined {
  const rules = httpRoutes(policies.rules, { caller, lookup, scope: undefined, port: 80 });
  const [host, ...aliases] = hostNames(key);
  if (rules.length === 0 || host === undefined) return undefined;
  const routes = rules.some(isCatchAll) ? rules : [...rules, ...unmatched(host)];
  const named = [host, ...aliases].flatMap((name) => [name, `${name}:80`]);
  return create(VirtualHostSchema, { name: `${host}:80`, domains: named, routes: withHashPolicies(routes, lookup) });
}

/** The names of a host that no service has; `*` is nobody's: it is for gateways. */
export function hostNames(key: string): string[] {
  const name = parseServiceKey(key);
  if (name.namespace === '*') return name.service === '*' ? [] : [name.service];
  const short = `${name.service}.${name.namespace}`;
  return [clustersetHost(name), clusterLocalHost(name), short, `${short}.svc`];
}

/** Without any rule the service itself; where there are some, a request that none of them matches gets 404, as Istio has it. */
function lastRoutes({ policies }: ServiceView, { host, port }: Where, { isRuled, lookup }: { isRuled: boolean; lookup: ServiceLookup }) {
  if (isRuled) return unmatched(host.host);
  if (policies.split === undefined) {
    return methodRoutes({ match: ANY, methods: 'any', rule: undefined, action: forwardTo(upstreamName(port.port, '', host.host)) });
  }
  const context = { namespace: '', scope: host.scope, port: port.port, takes: isHttpPort, lookup, report: SILENT };
  const matched = { ...ANY, headers: [] };
  return splitRoutes({ rule: wholeRule(host.host, port.port), match: {}, matched, common: {}, context, origin: undefined });
}

function unmatched(host: string): ReturnType<typeof methodRoutes> {
  const action = answer(404, `hawser: no rule of the VirtualServices of ${host} matches this request`);
  return methodRoutes({ match: ANY, methods: 'any', rule: undefined, action });
}

const ANY = { pathSpecifier: { case: 'prefix', value: '/' } } as const;

/** All spellings of a service; the port may be left out when it is 80. */
function domains(view: ServiceView, { host, port }: Where): string[] {
  const short = `${view.name.service}.${view.name.namespace}`;
  const names = [host.host, ...(host.short ? [short, `${short}.svc`] : [])];
  const vips = host.external?.vips.filter((vip) => vip.endsWith(`:${port.port}`)).map((vip) => vip.slice(0, vip.lastIndexOf(':'))) ?? [];
  return [...names, ...vips].flatMap((name) => (port.port === 80 ? [name, `${name}:80`] : [`${name}:${port.port}`]));
}
