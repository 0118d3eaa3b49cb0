/** What the API server of a cluster of the demo holds: the objects that a user, the scheduler and the endpoint controller would write. Pure. */
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { APP_PORT, type DemoCluster, NAMESPACE, SERVICES, type Workload } from '../topology.ts';

/** Everything that is there before the first Pod runs: namespace, Node, and Services with their exports. */
export function clusterObjects(cluster: DemoCluster): readonly KubeObject[] {
  const labels = { 'topology.kubernetes.io/region': cluster.region, 'topology.kubernetes.io/zone': cluster.zone };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    { apiVersion: 'v1', kind: 'Node', metadata: { name: nodeOf(cluster), labels } },
    ...servedBy(cluster).flatMap((service) => [serviceOf(service), exportOf(service)]),
  ];
}

/** A workload as the Pod that it would be. */
export function podOf(cluster: DemoCluster, { name, service, version }: Workload): KubeObject {
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name, namespace: NAMESPACE, labels: { app: service, version } },
    spec: {
      nodeName: nodeOf(cluster),
      serviceAccountName: service,
      containers: [{ name: 'app', image: `example.com/${service}:${version}` }],
    },
  };
}

/** Who serves in a cluster now, a slice a service: what is not among the ready is there, and not called. */
export function endpointSlices(cluster: DemoCluster, ready: ReadonlySet<string>): readonly KubeObject[] {
  return servedBy(cluster).map((service) => ({
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: { name: `${service}-1`, namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': service } },
    ports: [{ name: 'http', port: APP_PORT, protocol: 'TCP' }],
    endpoints: cluster.workloads
      .filter((workload) => workload.service === service)
      .map(({ name, address }) => ({
        addresses: [address],
        conditions: { ready: ready.has(name), serving: ready.has(name), terminating: false },
        nodeName: nodeOf(cluster),
        targetRef: { kind: 'Pod', namespace: NAMESPACE, name },
      })),
  }));
}

/** The services of the demo that a cluster has instances of. */
function servedBy({ workloads }: DemoCluster): readonly string[] {
  return SERVICES.filter((service) => workloads.some((workload) => workload.service === service));
}

function nodeOf({ name }: DemoCluster): string {
  return `${name}-node`;
}

function serviceOf(name: string): KubeObject {
  const spec = { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: APP_PORT, protocol: 'TCP' }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: NAMESPACE, labels: { app: name } }, spec };
}

function exportOf(name: string): KubeObject {
  return { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: { name, namespace: NAMESPACE } };
}
