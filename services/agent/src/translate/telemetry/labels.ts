/** Who calls whom, in Envoy's format: what every metric is labelled with. Pure. */
import type { JsonObject } from '@bufbuild/protobuf';
import { clustersetHost, type ServiceName } from '@hawser/model/service-host.ts';
import type { Workload } from './extension-policies.ts';
import type { Labels } from './istio-metrics.ts';

/** Namespace of metadata that upstream clusters and their endpoints carry for metrics. */
export const PEER_METADATA = 'hawser.peer';

/** What a sidecar says of its workload with every request; the callee's takes it for names, never for an identity. */
export const PEER_HEADERS = {
  workload: 'x-hawser-workload',
  namespace: 'x-hawser-namespace',
  cluster: 'x-hawser-cluster',
  app: 'x-hawser-app',
  version: 'x-hawser-version',
} as const;

type PeerKey = keyof typeof PEER_HEADERS;

/** The values of a workload, by the same keys; all of them can stand in a header. */
export function peerOf(workload: Workload): Readonly<Record<PeerKey, string>> {
  const { name, namespace, cluster, labels } = workload;
  const peer = { workload: name, namespace, cluster, app: appOf(labels, name), version: versionOf(labels) };
  // What a node says of itself may hold anything.
  const said = Object.entries(peer).map(([key, value]) => [key, value === '' ? 'unknown' : value.replaceAll(/\p{Cc}/gu, '?')]);
  return Object.fromEntries(said) as typeof peer;
}

/** Namespace of metadata that every observed listener carries: whose it is, by the keys of `PEER_HEADERS`. */
const OWN_METADATA = 'hawser.workload';

/** That metadata: the one part of a listener's observers that is the workload's own, so that all others are the same for many. */
export function ownMetadata(workload: Workload): JsonObject {
  return { [OWN_METADATA]: peerOf(workload) };
}

/** A value of the workload whose proxy it is, in Envoy's format. */
export function ownValue(key: PeerKey, bearer: MetadataBearer = 'LISTENER'): string {
  return `%METADATA(${bearer}:${OWN_METADATA}:${key})%`;
}

/** What carries that metadata: the listener of a proxy with one workload, or each filter chain where a listener is for several. */
export type MetadataBearer = 'LISTENER' | 'LISTENER_FILTER_CHAIN';

function ownValues(bearer?: MetadataBearer): Readonly<Record<PeerKey, string>> {
  return {
    workload: ownValue('workload', bearer),
    namespace: ownValue('namespace', bearer),
    cluster: ownValue('cluster', bearer),
    app: ownValue('app', bearer),
    version: ownValue('version', bearer),
  };
}

function appOf(labels: Readonly<Record<string, string>>, otherwise: string): string {
  return labels['service.istio.io/canonical-name'] ?? labels['app.kubernetes.io/name'] ?? labels['app'] ?? otherwise;
}

function versionOf(labels: Readonly<Record<string, string>>): string {
  return labels['service.istio.io/canonical-revision'] ?? labels['app.kubernetes.io/version'] ?? labels['version'] ?? 'latest';
}

/** Metadata of an endpoint: the workload behind it, as far as its labels tell; undefined when they tell nothing. */
export function endpointPeer(labels: Readonly<Record<string, string>>, service: ServiceName): JsonObject | undefined {
  const app = appOf(labels, service.service);
  const version = versionOf(labels);
  if (app === service.service && version === 'latest') return undefined;
  return { workload: workloadName(labels, service), app, version };
}

/** What metrics call a workload of which only its labels are known. */
export function workloadName(labels: Readonly<Record<string, string>>, service: ServiceName): string {
  const [app, version] = [appOf(labels, service.service), versionOf(labels)];
  return version === 'latest' ? app : `${app}-${version}`;
}

/** Labels that those names come from. */
export const NAMING_LABELS: readonly string[] = [
  ...['service.istio.io/canonical-name', 'app.kubernetes.io/name', 'app'],
  ...['service.istio.io/canonical-revision', 'app.kubernetes.io/version', 'version'],
];

/** Metadata of an upstream cluster: the service that it is. */
export function servicePeer(host: string, { namespace, service }: ServiceName): JsonObject {
  return { host, service, namespace: namespace === '*' ? 'unknown' : namespace };
}

/** Labels of what a caller's proxy counts. */
export function sourceLabels(): Labels {
  const service = (key: string): string => `%METADATA(CLUSTER:${PEER_METADATA}:${key})%`;
  const endpoint = (key: string): string => `%UPSTREAM_METADATA(${PEER_METADATA}:${key})%`;
  return {
    reporter: 'source',
    ...sourceOf(ownValues()),
    source_principal: '%UPSTREAM_LOCAL_URI_SAN%',
    destination_workload: endpoint('workload'),
    destination_workload_namespace: service('namespace'),
    destination_principal: '%UPSTREAM_PEER_URI_SAN%',
    destination_app: endpoint('app'),
    destination_version: endpoint('version'),
    destination_canonical_service: endpoint('app'),
    destination_canonical_revision: endpoint('version'),
    destination_service: service('host'),
    destination_service_name: service('service'),
    destination_service_namespace: service('namespace'),
    destination_cluster: '%CEL(upstream.locality.sub_zone)%',
  };
}

/** Labels of what a server's proxy counts; the service is unknown where no filter chain is for one. */
export function destinationLabels(service: ServiceName | undefined, isHttp: boolean, bearer?: MetadataBearer): Labels {
  const own = ownValues(bearer);
  const { app, version } = own;
  const header = (key: PeerKey): string => (isHttp ? `%REQ(${PEER_HEADERS[key]})%` : 'unknown');
  return {
    reporter: 'destination',
    ...sourceOf({
      ...{ workload: header('workload'), namespace: header('namespace'), cluster: header('cluster') },
      ...{ app: header('app'), version: header('version') },
    }),
    source_principal: '%DOWNSTREAM_PEER_URI_SAN%',
    destination_workload: own.workload,
    destination_workload_namespace: own.namespace,
    destination_principal: '%DOWNSTREAM_LOCAL_URI_SAN%',
    destination_app: app,
    destination_version: version,
    destination_canonical_service: app,
    destination_canonical_revision: version,
    destination_service: service === undefined ? 'unknown' : clustersetHost(service),
    destination_service_name: service?.service ?? 'unknown',
    destination_service_namespace: service?.namespace ?? own.namespace,
    destination_cluster: own.cluster,
  };
}

function sourceOf(peer: Readonly<Record<PeerKey, string>>): Labels {
  return {
    source_workload: peer.workload,
    source_workload_namespace: peer.namespace,
    source_app: peer.app,
    source_version: peer.version,
    source_canonical_service: peer.app,
    source_canonical_revision: peer.version,
    source_cluster: peer.cluster,
  };
}
