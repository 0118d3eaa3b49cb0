/** One descriptor per kind drives the API, the CLI, validation and placement. */
import type { TSchema } from 'typebox';
import {
  ClusterSpec,
  DestinationRuleSpec,
  FailoverPolicySpec,
  JoinTokenSpec,
  ServiceImportSpec,
  TrafficShiftSpec,
  VirtualServiceSpec,
} from './kind-specs.ts';

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
}

const HAWSER = { group: 'hawser.dev', versions: ['v1alpha1'] as const };
const ISTIO = { group: 'networking.istio.io', versions: ['v1', 'v1beta1', 'v1alpha3'] as const };

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
  {
    ...ISTIO,
    kind: 'VirtualService',
    plural: 'virtualservices',
    shortNames: ['vs'],
    namespaced: true,
    readOnly: false,
    policy: true,
    spec: VirtualServiceSpec,
  },
  {
    ...ISTIO,
    kind: 'DestinationRule',
    plural: 'destinationrules',
    shortNames: ['dr'],
    namespaced: true,
    readOnly: false,
    policy: true,
    spec: DestinationRuleSpec,
  },
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
