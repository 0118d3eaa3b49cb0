/** What cases of the analysis are made of: a fleet, and resources as people write them. */
import type { Facts } from './facts.ts';

/** Two sets of resources, alike but for what the code is about. */
export interface Case {
  readonly finds: readonly unknown[];
  /** Field of the finding. */
  readonly field: string;
  readonly not: readonly unknown[];
  /** Instead of `FLEET`. */
  readonly facts?: Facts;
  /** Instead of `facts`, for what is not to be found. */
  readonly notFacts?: Facts;
}

const port = (name: string, number: number, protocol = 'http') => ({ name, port: number, protocol });
const service = (name: string, versions: readonly string[], ports = [port('http', 80)]) => ({
  namespace: 'bookinfo',
  service: name,
  shards: [{ cluster: 'us-east', ports, endpoints: versions.length, labels: versions.map((version) => ({ app: name, version })) }],
});

/** What the cases know around them. */
export const FLEET = {
  services: [service('reviews', ['v1', 'v2']), service('ratings', ['v1']), service('mysql', ['v1'], [port('tcp-mysql', 3306, 'tcp')])],
  clusters: [
    { name: 'us-east', region: 'us-east', labels: { region: 'us-east', tier: 'prod' } },
    { name: 'us-west', region: 'us-west', labels: { region: 'us-west', tier: 'test' } },
  ],
  edges: [{ name: 'us-east/ingress-1', namespace: 'edge', labels: { istio: 'ingressgateway' } }],
  trustDomains: ['us-east.hawser', 'us-west.hawser'],
} satisfies Facts;

const GROUPS: Readonly<Record<string, string>> = {
  ...{ FailoverPolicy: 'hawser.dev/v1alpha1', TrafficShift: 'hawser.dev/v1alpha1', ExtensionProvider: 'hawser.dev/v1alpha1' },
  ...{ PeerAuthentication: 'security.istio.io/v1', AuthorizationPolicy: 'security.istio.io/v1', Telemetry: 'telemetry.istio.io/v1' },
  ...{ RequestAuthentication: 'security.istio.io/v1', TrustDomain: 'hawser.dev/v1alpha1', Drain: 'hawser.dev/v1alpha1' },
};

/** One resource of `bookinfo`; the age is the second of its creation. */
export function written(kind: string, name: string, spec: unknown, metadata: object = {}): unknown {
  const apiVersion = GROUPS[kind] ?? 'networking.istio.io/v1';
  return { apiVersion, kind, metadata: { namespace: 'bookinfo', name, ...metadata }, spec };
}

/** Metadata of a resource made at this second. */
export const aged = (second: number) => ({ creationTimestamp: `2026-01-01T00:00:0${second}Z` });
