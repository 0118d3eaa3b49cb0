/** Who may call a workload: its AuthorizationPolicies ALLOW, DENY and AUDIT as RBAC, for requests and for connections. Pure. */
import { fromBinary, type JsonObject } from '@bufbuild/protobuf';
import type { AuthorizationPolicySpec } from '@hawser/model/istio/specs.ts';
import { RouteConfigurationSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import { TypedStructSchema } from '@hawser/xds/generated/xds/type/v3/typed_struct_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded } from '../encode.ts';
import { type Decision, decisionFilters, decisionsFor } from '../extension/ext-authz.ts';
import { applicationPort } from '../names.ts';
import type { Side } from '../telemetry/effective-telemetry.ts';
import { type ExtensionPolicies, levelFor, type Policy, type Workload } from '../telemetry/extension-policies.ts';
import type { ProviderWorld } from '../telemetry/provider-upstreams.ts';
import { type extension, packed, structured } from '../wire-values.ts';
import { issuersFor, keyUpstreams, tokenFilters } from './jwt.ts';
import { rbacPolicy } from './rbac-policy.ts';
import { type RuleContext, ruleContext, type TrustDomains } from './rule-context.ts';

type Filter = ReturnType<typeof extension>;
type Action = 'AUDIT' | 'DENY' | 'ALLOW';
type Authorization = Policy<AuthorizationPolicySpec>;

/** Names of the filters: routes configure them by these. */
const FILTERS: Readonly<Record<Action, string>> = {
  AUDIT: 'hawser.access.audit',
  DENY: 'hawser.access.deny',
  ALLOW: 'hawser.access.allow',
};
const HTTP = 'envoy.extensions.filters.http.rbac.v3';
const NETWORK = 'envoy.extensions.filters.network.rbac.v3.RBAC';
const AUDIT_PREFIX = 'hawser_audit_';

/** Where rules are applied: to which protocol, and to which port of the application, if that is known. */
type Place = Pick<RuleContext, 'protocol' | 'port' | 'domains'>;

/** The judgement of one proxy, the same for all whose policies are the same. */
export interface ProxyAccess {
  /** Services that are asked about requests to a port. */
  decisions(port: number | undefined): readonly Decision[];
  /** Who verifies tokens. */
  tokenFilters(side: Side): readonly Filter[];
  /** What these need. */
  resources(world: ProviderWorld): readonly XdsResource[];
  /** Those who judge requests: what policies say comes with the routes, which change without cutting a connection. */
  httpFilters(side: Side, port: number | undefined): readonly Filter[];
  tcpFilters(side: Side, port: number | undefined): readonly Filter[];
  /** Routes with what they say to those who judge. */
  guarded(routes: XdsResource): XdsResource;
}

/** The policies that are for a workload, as its proxy judges by them. */
export function proxyAccess(
  workload: Workload,
  policies: ExtensionPolicies,
  { isEdge, domains }: { readonly isEdge: boolean; readonly domains: TrustDomains },
): ProxyAccess {
  const held = policies.authorization.filter((policy) => levelFor(workload, policy) !== undefined);
  const decisions = (port: number | undefined) => decisionsFor(workload, policies, { domains, port });
  const issuers = issuersFor(workload, policies);
  const known = new Map<string, Rules>();
  const rulesAt = (protocol: Place['protocol'], port: number | undefined): Rules => {
    const key = `${protocol} ${port}`;
    const rules = known.get(key) ?? rulesOf(held, { protocol, port, domains });
    known.set(key, rules);
    return rules;
  };
  // Callers are not judged by their own proxies: a workload can go around its own. Clients of an edge cannot go around that.
  const judges = (side: Side): boolean => side === 'SERVER' || isEdge;
  return {
    decisions,
    tokenFilters: (side) => (judges(side) ? tokenFilters(issuers) : []),
    resources: (world) => keyUpstreams(issuers, world),
    httpFilters: (side, port) =>
      judges(side) ? [judge('AUDIT'), ...decisions(port).flatMap(decisionFilters), judge('DENY'), judge('ALLOW')] : [],
    tcpFilters: (side, port) => (judges(side) ? connectionJudges(rulesAt('tcp', port)) : []),
    guarded: (routes) => {
      const isOwn = isEdge || routes.name.startsWith('inbound|');
      return isOwn ? guardedRoutes(routes, rulesAt('http', applicationPort(routes.name))) : routes;
    },
  };
}

type Rules = Partial<Record<Action, JsonObject>>;

/** Connections are counted by action alone: there is no count for each rule. */
function connectionJudges(rules: Rules): Filter[] {
  return (Object.entries(rules) as [Action, JsonObject][]).map(([action, { track_per_rule_stats: _, ...rbac }]) =>
    structured(FILTERS[action], NETWORK, { ...rbac, stat_prefix: `${FILTERS[action]}.` }),
  );
}

function guardedRoutes(resource: XdsResource, rules: Rules): XdsResource {
  const entries = Object.entries(rules) as [Action, JsonObject][];
  if (entries.length === 0) return resource;
  const routes = fromBinary(RouteConfigurationSchema, resource.bytes);
  for (const [action, rbac] of entries) {
    const typeUrl = `type.googleapis.com/${HTTP}.RBACPerRoute`;
    routes.typedPerFilterConfig[FILTERS[action]] = packed(TypedStructSchema, { typeUrl, value: { rbac } });
  }
  return encoded('RDS', resource.name, routes, RouteConfigurationSchema);
}

/** RBAC of each action that some policy has, in the order in which they are asked. */
function rulesOf(held: readonly Authorization[], at: Place): Rules {
  const of = (action: Action): Authorization[] => held.filter(({ spec }) => (spec.action ?? 'ALLOW') === action);
  const [audit, deny, allow] = [of('AUDIT'), of('DENY'), of('ALLOW')];
  return {
    ...(audit.length > 0 ? { AUDIT: rbacOf('AUDIT', policiesOf(audit, at)) } : {}),
    ...(deny.length > 0 || at.domains.lapsed.length > 0 ? { DENY: rbacOf('DENY', { ...lapsedTrust(at), ...policiesOf(deny, at) }) } : {}),
    ...(allow.length > 0 ? { ALLOW: rbacOf('ALLOW', policiesOf(allow, at)) } : {}),
  };
}

/**
 * TLS refuses who is not believed when it connects; who did before is refused what it asks for from now on, and by a port of TCP, whose chain
 * this changes, cut off.
 */
function lapsedTrust({ domains: { lapsed } }: Place): JsonObject {
  if (lapsed.length === 0) return {};
  const principals = lapsed.map((name) => ({ authenticated: { principal_name: { prefix: `spiffe://${name}/` } } }));
  return { 'trust-lapsed': { permissions: [{ any: true }], principals } };
}

/** Named as people know them: `NAMESPACE/NAME[RULE]` is in the details of a refusal. */
function policiesOf(policies: readonly Authorization[], at: Place): JsonObject {
  const rules = policies.flatMap((policy) => {
    const context = ruleContext(policy, at);
    return (policy.spec.rules ?? []).flatMap((rule, index) => {
      const rbac = rbacPolicy(rule, context);
      return rbac === undefined ? [] : [[`${policy.namespace}/${policy.name}[${index}]`, rbac] as const];
    });
  });
  return Object.fromEntries(rules.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What is audited is counted, rule by rule, and noted with the request for its log; nobody is refused for it. */
function rbacOf(action: Action, policies: JsonObject): JsonObject {
  if (action === 'AUDIT')
    return { shadow_rules: { action: 'ALLOW', policies }, shadow_rules_stat_prefix: AUDIT_PREFIX, track_per_rule_stats: true };
  return { rules: { action, policies } };
}

function judge(action: Action): Filter {
  return structured(FILTERS[action], `${HTTP}.RBAC`, {});
}
