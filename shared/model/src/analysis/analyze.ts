/** The analysis of policy: what is probably not meant, found in resources as they were written and in what is known around them. Pure. */

import type { DrainSpec } from '../drain.ts';
import type { FailoverPolicySpec } from '../failover-policy.ts';
import type {
  AuthorizationPolicySpec,
  DestinationRuleSpec,
  GatewaySpec,
  PeerAuthenticationSpec,
  RequestAuthenticationSpec,
  ServiceEntrySpec,
  SidecarSpec,
  TelemetrySpec,
  VirtualServiceSpec,
} from '../istio/specs.ts';
import type { Resource } from '../resource.ts';
import type { TrafficShiftSpec } from '../traffic-shift.ts';
import type { TrustDomainSpec } from '../trust-domain.ts';
import { authorizationCallers, competingModes, federationFindings, optionalTokens } from './analyzers/access-findings.ts';
import { conditions } from './analyzers/condition-findings.ts';
import { competingRules, localityShares, ruleElsewhere } from './analyzers/destination-rule-findings.ts';
import { exportTargets, hiddenFromRoutes } from './analyzers/export-findings.ts';
import { boundGateways, gatewayFindings } from './analyzers/gateway-findings.ts';
import { destinationRuleHost, virtualServiceHosts } from './analyzers/host-findings.ts';
import { clustersOwn, failoverPolicy, localityRegions, trafficShift, unreached } from './analyzers/placement-findings.ts';
import { entryPorts, rulesForProtocol, servicePorts } from './analyzers/port-findings.ts';
import { authorizationFindings, telemetryFindings } from './analyzers/provider-findings.ts';
import { delegates, faults, timeouts, weights } from './analyzers/route-findings.ts';
import { serviceEntryFindings } from './analyzers/service-entry-findings.ts';
import { mergedVirtualServices, shadowedRules } from './analyzers/shadowed-rules.ts';
import { sidecarFindings } from './analyzers/sidecar-findings.ts';
import { drain, steeredShift } from './analyzers/steering-findings.ts';
import { definedSubsets, namedSubsets } from './analyzers/subset-findings.ts';
import { tlsConflicts } from './analyzers/tls-findings.ts';
import { explained, storedFindings, unservedKind, type WrittenResource, writtenFindings } from './analyzers/written-findings.ts';
import type { Facts, KnownService } from './facts.ts';
import { type Finding, finding, SEVERITY_RANK } from './finding.ts';
import { isObject, kindOf, readSubject, type Subject } from './subject.ts';
import { World } from './world.ts';

/** What is analysed. */
export interface AnalysisInput extends Facts {
  /** Resources as they were written; what is none of our kinds is passed over. */
  readonly written: readonly unknown[];
  /** Resources in force, which were judged when they were written. One that is written too is as written, and keeps its age. */
  readonly stored?: readonly Resource[] | undefined;
  /** Keys, `KIND/NAMESPACE/NAME`, of the resources that findings are wanted of; default: all, and of services too. */
  readonly only?: ReadonlySet<string> | undefined;
}

type Analyzer<Spec> = (subject: Subject<Spec>, world: World) => Finding[];

const ANY: readonly Analyzer<unknown>[] = [unreached, clustersOwn, exportTargets];

const BY_KIND: Readonly<Record<string, readonly Analyzer<never>[]>> = {
  VirtualService: [
    ...[virtualServiceHosts, namedSubsets, shadowedRules, mergedVirtualServices, weights, timeouts, faults, delegates, conditions],
    ...[rulesForProtocol, boundGateways, hiddenFromRoutes],
  ] satisfies readonly Analyzer<VirtualServiceSpec>[],
  DestinationRule: [
    ...[destinationRuleHost, definedSubsets, ruleElsewhere, competingRules, localityShares, tlsConflicts, localityRegions],
  ] satisfies readonly Analyzer<DestinationRuleSpec>[],
  Gateway: [gatewayFindings] satisfies readonly Analyzer<GatewaySpec>[],
  Sidecar: [sidecarFindings] satisfies readonly Analyzer<SidecarSpec>[],
  ServiceEntry: [serviceEntryFindings, entryPorts] satisfies readonly Analyzer<ServiceEntrySpec>[],
  Telemetry: [telemetryFindings] satisfies readonly Analyzer<TelemetrySpec>[],
  AuthorizationPolicy: [authorizationFindings, authorizationCallers] satisfies readonly Analyzer<AuthorizationPolicySpec>[],
  PeerAuthentication: [competingModes] satisfies readonly Analyzer<PeerAuthenticationSpec>[],
  RequestAuthentication: [optionalTokens] satisfies readonly Analyzer<RequestAuthenticationSpec>[],
  TrustDomain: [federationFindings] satisfies readonly Analyzer<TrustDomainSpec>[],
  FailoverPolicy: [failoverPolicy] satisfies readonly Analyzer<FailoverPolicySpec>[],
  Drain: [drain] satisfies readonly Analyzer<DrainSpec>[],
  TrafficShift: [trafficShift, steeredShift] satisfies readonly Analyzer<TrafficShiftSpec>[],
};

/** Every finding, the worst first, then by resource and field. */
export function analyze(input: AnalysisInput): readonly Finding[] {
  const isWanted = (key: string | undefined): boolean => input.only === undefined || (key !== undefined && input.only.has(key));
  const { subjects, found } = readAll(input, isWanted);
  const world = new World([...subjects.values()], input);
  for (const subject of subjects.values()) if (isWanted(subject.key)) found.push(...inWorld(subject, world));
  if (input.only === undefined) found.push(...servicesIn(world).flatMap(servicePorts));
  return explained(found).sort(bySeverity);
}

interface ReadResources {
  /** By key. */
  readonly subjects: Map<string, Subject>;
  /** What is wrong with single ones. */
  readonly found: Finding[];
}

function readAll({ written, stored = [] }: AnalysisInput, isWanted: (key: string | undefined) => boolean): ReadResources {
  const subjects = new Map<string, Subject>();
  const found: Finding[] = [];
  const given = new Set<string>();
  for (const resource of stored) {
    const subject = readSubject(resource);
    if (subject !== undefined) subjects.set(subject.key, subject);
  }
  for (const content of written) {
    const subject = readSubject(content);
    if (isWanted(subject?.key)) found.push(...byItself(content, writtenFindings));
    if (subject === undefined) continue;
    const { key } = subject;
    if (given.has(key) && isWanted(key)) found.push(finding('HW0005', { at: subject, field: 'metadata.name' }, `${key} is given twice`));
    given.add(key);
    subjects.set(key, { ...subject, createdAt: subjects.get(key)?.createdAt ?? subject.createdAt });
  }
  for (const resource of stored) {
    const key = readSubject(resource)?.key;
    if (key !== undefined && !given.has(key) && isWanted(key)) found.push(...byItself(resource, storedFindings));
  }
  return { subjects, found };
}

function byItself(content: unknown, judge: (written: WrittenResource) => Finding[]): Finding[] {
  const kind = kindOf(content);
  if (!isObject(content)) return [];
  if (kind === undefined) return unservedKind(content);
  if (kind.readOnly) return [];
  const metadata = isObject(content['metadata']) ? content['metadata'] : {};
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return judge({ kind, namespace: text(metadata['namespace']), name: text(metadata['name']), content });
}

function servicesIn({ services }: World): readonly KnownService[] {
  return [...(services?.keys() ?? [])].flatMap((key) => services?.get(key) ?? []);
}

function inWorld(subject: Subject, world: World): Finding[] {
  const analyzers = [...ANY, ...((BY_KIND[subject.kind] ?? []) as readonly Analyzer<unknown>[])];
  return analyzers.flatMap((analyzer) => analyzer(subject, world));
}

function bySeverity(a: Finding, b: Finding): number {
  const rank = SEVERITY_RANK[b.severity] - SEVERITY_RANK[a.severity];
  if (rank !== 0) return rank;
  const [left, right] = [a, b].map(({ kind, namespace, name, field, code }) => [namespace, kind, name, field, code].join(' '));
  return (left ?? '') < (right ?? '') ? -1 : 1;
}
