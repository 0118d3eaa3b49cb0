/** One descriptor per kind drives the API, the CLI, validation and placement. */
import type { TSchema } from 'typebox';
import { DrainSpec } from './drain.ts';
import { DrillSpec } from './drill.ts';
import { DrillForm, drillFormProblems } from './drill-form.ts';
import { DrillRunSpec } from './drill-run.ts';
import { ExtensionProviderSpec } from './extension-provider.ts';
import { FailoverPolicySpec } from './failover-policy.ts';
import { FreezeSpec } from './freeze.ts';
import { ISTIO_KINDS } from './istio/schemas.ts';
import { ClusterSpec, JoinTokenSpec, ServiceImportSpec } from './kind-specs.ts';
import { SafetyRuleSpec } from './safety-rule.ts';
import { TrafficShiftSpec } from './traffic-shift.ts';
import { TrustDomainSpec } from './trust-domain.ts';
import type { SchemaProblem } from './validate-schema.ts';

/** Everything generic code needs to know of a kind. */
export interface KindDescriptor {
  readonly kind: string;
  readonly group: string;
  /** Accepted on input; the first is the one the hub answers with. */
  readonly versions: readonly [string, ...string[]];
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  /** Derived by the hub; writes are refused. */
  readonly readOnly: boolean;
  /** Traffic policy that agents compile: placed on clusters by `hawser.dev/clusters`. */
  readonly policy: boolean;
  readonly spec: TSchema;
  /** Where agents get something else than a spec: what its operation has made of it, and its rules. */
  readonly form?: { readonly spec: TSchema; readonly problems: (form: unknown) => readonly SchemaProblem[] };
}

const HAWSER = { group: 'hawser.dev', versions: ['v1alpha1'] as const };
const ISTIO = { group: 'networking.istio.io', versions: ['v1', 'v1beta1', 'v1alpha3'] as const };
const TELEMETRY = { group: 'telemetry.istio.io', versions: ['v1', 'v1alpha1'] as const };
const SECURITY = { group: 'security.istio.io', versions: ['v1', 'v1beta1'] as const };
const EXTENSIONS = { group: 'extensions.istio.io', versions: ['v1alpha1'] as const };

/** Every kind the hub serves. */
export const KINDS: readonly KindDescriptor[] = [
  { ...HAWSER, kind: 'Cluster', plural: 'clusters', shortNames: [], namespaced: false, readOnly: false, policy: false, spec: ClusterSpec },
  {
    ...HAWSER,
    kind: 'JoinToken',
    plural: 'jointokens',
    shortNames: [],
    namespaced: false,
    readOnly: false,
    policy: false,
    spec: JoinTokenSpec,
  },
  {
    ...HAWSER,
    kind: 'TrustDomain',
    plural: 'trustdomains',
    shortNames: ['td'],
    namespaced: false,
    readOnly: false,
    policy: false,
    spec: TrustDomainSpec,
  },
  {
    ...HAWSER,
    kind: 'FailoverPolicy',
    plural: 'failoverpolicies',
    shortNames: ['fp'],
    namespaced: true,
    readOnly: false,
    policy: true,
    spec: FailoverPolicySpec,
  },
  {
    ...HAWSER,
    kind: 'TrafficShift',
    plural: 'trafficshifts',
    shortNames: ['ts'],
    namespaced: true,
    readOnly: false,
    policy: true,
    spec: TrafficShiftSpec,
  },
  { ...HAWSER, kind: 'Drain', plural: 'drains', shortNames: [], namespaced: false, readOnly: false, policy: true, spec: DrainSpec },
  guard('Drill', 'drills', DrillSpec),
  { ...guard('DrillRun', 'drillruns', DrillRunSpec), policy: true, form: { spec: DrillForm, problems: drillFormProblems } },
  guard('Freeze', 'freezes', FreezeSpec),
  guard('SafetyRule', 'safetyrules', SafetyRuleSpec),
  {
    ...HAWSER,
    kind: 'ExtensionProvider',
    plural: 'extensionproviders',
    shortNames: [],
    namespaced: true,
    readOnly: false,
    policy: true,
    spec: ExtensionProviderSpec,
  },
  istioPolicy('VirtualService', 'virtualservices', ['vs'], 'How requests and connections to hosts are routed.'),
  istioPolicy('DestinationRule', 'destinationrules', ['dr'], 'How the endpoints of a service are used, and its subsets.'),
  istioPolicy('Gateway', 'gateways', ['gw'], 'What proxies at the edge of the mesh listen for.'),
  istioPolicy('ServiceEntry', 'serviceentries', ['se'], 'A service that no cluster has in its registry.'),
  istioPolicy('WorkloadEntry', 'workloadentries', ['we'], 'One workload on a machine, for services that select it.'),
  istioPolicy('WorkloadGroup', 'workloadgroups', ['wg'], 'What workloads on machines have in common.'),
  istioPolicy('Sidecar', 'sidecars', [], 'What the sidecars of workloads take in and may call.'),
  { ...istioPolicy('Telemetry', 'telemetries', [], 'Access logs, traces and metrics of proxies.'), ...TELEMETRY },
  { ...istioPolicy('AuthorizationPolicy', 'authorizationpolicies', ['ap'], 'Who may call workloads, and for what.'), ...SECURITY },
  { ...istioPolicy('PeerAuthentication', 'peerauthentications', ['pa'], 'Whether callers must prove who they are.'), ...SECURITY },
  { ...istioPolicy('RequestAuthentication', 'requestauthentications', ['ra'], 'Whose tokens requests may bear.'), ...SECURITY },
  { ...istioPolicy('WasmPlugin', 'wasmplugins', [], 'A module that proxies run requests through.'), ...EXTENSIONS },
  {
    group: 'multicluster.x-k8s.io',
    versions: ['v1beta1'],
    kind: 'ServiceImport',
    plural: 'serviceimports',
    shortNames: ['svcim'],
    namespaced: true,
    readOnly: true,
    policy: false,
    spec: ServiceImportSpec,
  },
];

/** The annotation that places a policy: a Kubernetes label selector over the labels of clusters. */
export const CLUSTERS_ANNOTATION = 'hawser.dev/clusters';

/** Finds a kind by its name, plural or short name, in any case. */
export function kindNamed(word: string): KindDescriptor | undefined {
  const wanted = word.toLowerCase();
  return KINDS.find((kind) => [kind.kind.toLowerCase(), kind.plural, ...kind.shortNames].includes(wanted));
}

function istioPolicy(kind: string, plural: string, shortNames: readonly string[], description: string): KindDescriptor {
  const spec = { ...ISTIO_KINDS.get(kind)?.served, description } as TSchema;
  return { ...ISTIO, kind, plural, shortNames, namespaced: true, readOnly: false, policy: true, spec };
}

/** What the hub alone obeys; agents never see it. */
function guard(kind: string, plural: string, spec: TSchema): KindDescriptor {
  return { ...HAWSER, kind, plural, shortNames: [], namespaced: false, readOnly: false, policy: false, spec };
}
