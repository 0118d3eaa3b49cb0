/** The registry directory of one cluster, as its agent reads it: the YAML an operator would write. Pure. */
import { stringify } from 'yaml';
import { APP_PORT, type DemoCluster, NAMESPACE, SERVICES, type Workload } from './topology.ts';

/** File names and their content. */
export function registryFiles(cluster: DemoCluster): ReadonlyMap<string, string> {
  const served = SERVICES.filter((service) => cluster.workloads.some((workload) => workload.service === service));
  const files = new Map(served.map((service) => [`${service}.yaml`, yaml([serviceOf(service), exportOf(service)])]));
  for (const workload of cluster.workloads) files.set(`workload-${workload.name}.yaml`, yaml([workloadEntry(workload)]));
  return files;
}

function yaml(documents: readonly object[]): string {
  return documents.map((document) => stringify(document)).join('---\n');
}

function serviceOf(service: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: service, namespace: NAMESPACE, labels: { app: service } },
    spec: { selector: { app: service }, ports: [{ name: 'http', port: 80, targetPort: APP_PORT, protocol: 'TCP' }] },
  };
}

function exportOf(service: string): object {
  return { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: { name: service, namespace: NAMESPACE } };
}

function workloadEntry(workload: Workload): object {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: { name: workload.name, namespace: NAMESPACE },
    spec: {
      address: workload.address,
      labels: { app: workload.service, version: workload.version },
      serviceAccount: workload.service,
      ports: { http: APP_PORT },
    },
  };
}
