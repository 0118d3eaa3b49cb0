/** What the demo consists of: which workload runs where, at which address. Pure. */
import { join } from 'node:path';
import { PORTS } from '@hawser/model/ports.ts';

/** Namespace of the application. */
export const NAMESPACE = 'bookinfo';
/** The regions, in the order of the failover policy; a cluster is named after its region. */
export const REGIONS = ['us-east', 'us-west', 'eu-west'] as const;
/** The region whose cluster may be one of Kubernetes (`--kubernetes`). */
export const KUBERNETES_REGION = 'us-west';
/** Port of every application; services offer it as 80. */
export const APP_PORT = 9080;
/** Where the API server's companion of a cluster on Kubernetes says that it is up. */
export const KUBELET_PORT = 10_250;

/** One workload: an application and its sidecar on one address. */
export interface Workload {
  readonly cluster: string;
  readonly service: string;
  readonly version: string;
  readonly address: string;
  /** Unique in its cluster: `reviews-v2`. */
  readonly name: string;
}

/** One cluster, its agent and gateway on `address`. */
export interface DemoCluster {
  readonly name: string;
  readonly region: string;
  readonly zone: string;
  readonly address: string;
  readonly workloads: readonly Workload[];
  /** Kubeconfig of the API server whose objects it has; files of a registry where there is none. */
  readonly kubeconfig?: string;
}

const EVERYWHERE: readonly (readonly [service: string, version: string])[] = [
  ['client', 'v1'],
  ['productpage', 'v1'],
  ['details', 'v1'],
  ['reviews', 'v1'],
  ['reviews', 'v2'],
  ['reviews', 'v3'],
];
/** Regions that run `ratings`. */
const RATINGS_REGIONS: readonly string[] = ['us-west', 'eu-west'];

/** The services of Bookinfo, all exported; `client` is no service. */
export const SERVICES = ['productpage', 'details', 'reviews', 'ratings'] as const;

/** Which clusters are Kubernetes' own, by name, and where their kubeconfigs are to be. */
export interface OnKubernetes {
  readonly kubernetes: readonly string[];
  readonly stateDir: string;
}

/**
 * The demo's clusters: number i (from 1) on `BASE.i.1`, its workload j on `BASE.i.(10+j)`. On Kubernetes workloads are Pods, whose addresses
 * may not be loopback's: 10.x for 127.x.
 */
export function demoClusters(base: string, { kubernetes, stateDir }: OnKubernetes = { kubernetes: [], stateDir: '' }): DemoCluster[] {
  return REGIONS.map((region, index) => {
    const isKubernetes = kubernetes.includes(region);
    const net = `${base}.${index + 1}`;
    const podNet = isKubernetes ? net.replace(/^127\./, '10.') : net;
    const kinds = RATINGS_REGIONS.includes(region) ? [...EVERYWHERE, ['ratings', 'v1'] as const] : EVERYWHERE;
    const workloads = kinds.map(([service, version], number) => ({
      cluster: region,
      service,
      version,
      address: `${podNet}.${10 + number}`,
      name: `${service}-${version}`,
    }));
    const kubeconfig = isKubernetes ? { kubeconfig: join(stateDir, 'demo', region, 'kubeconfig.json') } : {};
    return { name: region, region, zone: `${region}-a`, address: `${net}.1`, workloads, ...kubeconfig };
  });
}

/** Where a workload calls its sidecar, always on loopback; a Pod's Envoy has its admin endpoint there too. */
export function callAddressOf({ address }: Workload): string {
  return address.replace(/^10\./, '127.');
}

/** `IP:PORT` where a workload calls its sidecar. */
export function sidecarOf(workload: Workload): string {
  return `${callAddressOf(workload)}:${PORTS.outbound}`;
}

/** The host by which a service of the demo is called, anywhere in the federation. */
export function hostOf(service: string): string {
  return `${service}.${NAMESPACE}.svc.clusterset.local`;
}

/** Every address and port that a cluster listens on, `IP:PORT` with what needs it. */
export function listenersOf(cluster: DemoCluster): { address: string; port: number; user: string }[] {
  const envoy = [PORTS.envoyAdmin, PORTS.health, PORTS.stats];
  const own = [PORTS.agentXds, PORTS.agentAdmin, PORTS.gateway, ...envoy].map((port) => ({
    address: cluster.address,
    port,
    user: `${cluster.name}, agent and gateway`,
  }));
  const workloads = cluster.workloads.flatMap(({ address, name }) =>
    [APP_PORT, PORTS.outbound, PORTS.inbound, ...envoy].map((port) => ({ address, port, user: `${cluster.name}, ${name}` })),
  );
  return [...own, ...workloads];
}
