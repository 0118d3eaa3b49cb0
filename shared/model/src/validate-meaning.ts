/** Rules of specs that a schema cannot say: sums, duplicates, hosts, expressions. They run on specs that fit their schema. Pure. */
import { drainProblems } from './drain.ts';
import { drillProblems } from './drill-problems.ts';
import { parseDuration } from './duration.ts';
import { failoverPolicyProblems } from './failover-policy.ts';
import { HUB } from './fleet.ts';
import { freezeProblems } from './freeze.ts';
import { authorizationPolicyProblems } from './istio/rules/authorization-policy.ts';
import { invalid, labelProblems } from './istio/rules/checks.ts';
import { destinationRuleProblems } from './istio/rules/destination-rule.ts';
import { gatewayProblems } from './istio/rules/gateway.ts';
import { peerAuthenticationProblems } from './istio/rules/peer-authentication.ts';
import { requestAuthenticationProblems } from './istio/rules/request-authentication.ts';
import { serviceEntryProblems } from './istio/rules/service-entry.ts';
import { sidecarProblems } from './istio/rules/sidecar.ts';
import { extensionProviderProblems, telemetryProblems, wasmPluginProblems } from './istio/rules/telemetry.ts';
import { virtualServiceProblems } from './istio/rules/virtual-service.ts';
import { workloadEntryProblems } from './istio/rules/workload-entry.ts';
import { workloadGroupProblems } from './istio/rules/workload-group.ts';
import type { JoinTokenSpec } from './kind-specs.ts';
import { safetyRuleProblems } from './safety-rule.ts';
import { trafficShiftProblems } from './traffic-shift.ts';
import { trustDomainProblems } from './trust-domain.ts';
import type { SchemaProblem } from './validate-schema.ts';

const DAY_MS = 86_400_000;

type Rule = (spec: never, namespace: string) => readonly SchemaProblem[];

const RULES: Readonly<Record<string, Rule>> = {
  JoinToken: joinToken as Rule,
  FailoverPolicy: failoverPolicyProblems as Rule,
  TrafficShift: trafficShiftProblems as Rule,
  Drain: drainProblems as Rule,
  Drill: drillProblems as Rule,
  TrustDomain: trustDomainProblems as Rule,
  Freeze: freezeProblems as Rule,
  SafetyRule: safetyRuleProblems as Rule,
  VirtualService: virtualServiceProblems as Rule,
  DestinationRule: destinationRuleProblems as Rule,
  ServiceEntry: serviceEntryProblems as Rule,
  WorkloadEntry: workloadEntryProblems as Rule,
  WorkloadGroup: workloadGroupProblems as Rule,
  ExtensionProvider: extensionProviderProblems as Rule,
  Telemetry: telemetryProblems as Rule,
  AuthorizationPolicy: authorizationPolicyProblems as Rule,
  PeerAuthentication: peerAuthenticationProblems as Rule,
  RequestAuthentication: requestAuthenticationProblems as Rule,
  WasmPlugin: wasmPluginProblems as Rule,
  Gateway: gatewayProblems as Rule,
  Sidecar: sidecarProblems as Rule,
};

/** Every problem of a spec's meaning; paths are below the spec. */
export function meaningProblems(kind: string, spec: unknown, namespace: string): readonly SchemaProblem[] {
  const rule = Object.hasOwn(RULES, kind) ? RULES[kind] : undefined;
  return rule?.(spec as never, namespace) ?? [];
}

function joinToken(spec: JoinTokenSpec): readonly SchemaProblem[] {
  const ttl = spec.ttl === undefined ? 1 : (parseDuration(spec.ttl) ?? 0);
  const problems: SchemaProblem[] = [];
  if (spec.cluster === HUB) problems.push(invalid(['cluster'], `is ${HUB}, the hub's own name on the bus: choose another`));
  if (ttl <= 0 || ttl > DAY_MS) problems.push(invalid(['ttl'], `is ${spec.ttl}; it must be more than nothing and at most 24h`));
  return [...problems, ...labelProblems(['labels'], spec.labels)];
}
