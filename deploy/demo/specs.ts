/** The commands that make up the demo: what an operator would type, one process each. Pure. */
import { join } from 'node:path';
import { PORTS } from '@hawser/model/ports.ts';
import type { FleetOptions } from './options.ts';
import { HAWSER, type ProcessSpec, ROOT } from './processes.ts';
import { APP_PORT, callAddressOf, type DemoCluster, hostOf, KUBELET_PORT, NAMESPACE, sidecarOf, type Workload } from './topology.ts';

/** Where a cluster on Kubernetes is. */
export interface KubernetesPlace {
  readonly stateDir: string;
  readonly loopbackBase: string;
}

/** Files of one cluster, below the state folder. */
export interface ClusterFiles {
  readonly registryDir: string;
  readonly tokenOf: (serviceAccount: string) => string;
  readonly postsOf: (workload: string) => string;
}

/** Where a cluster's files are. */
export function clusterFiles(stateDir: string, cluster: string): ClusterFiles {
  const folder = join(stateDir, 'demo', cluster);
  return {
    registryDir: join(folder, 'registry'),
    tokenOf: (serviceAccount) => join(folder, 'tokens', serviceAccount),
    postsOf: (workload) => join(folder, 'posts', workload),
  };
}

/** `hawser hub run`. */
export function hubSpec(options: FleetOptions): ProcessSpec {
  const external = [
    ...(options.databaseUrl === undefined ? [] : ['--database-url', options.databaseUrl]),
    ...(options.natsUrl === undefined ? [] : ['--nats-url', options.natsUrl]),
  ];
  const ports = ['--port', options.hubPort, '--postgres-port', options.postgresPort, '--nats-port', options.natsPort].map(String);
  const argv = [...HAWSER, 'hub', 'run', '--state-dir', options.stateDir, ...ports, ...external] as const;
  return { name: 'hub', argv, address: '127.0.0.1', adminPort: options.hubPort };
}

/** `hawser agent run`; the join token is used once, and ignored when the agent has joined. */
export function agentSpec(cluster: DemoCluster, { stateDir, agentFlags = [] }: FleetOptions, token: string): ProcessSpec {
  const { name, address, kubeconfig } = cluster;
  const place = ['--address', address, '--gateway', `${address}:${PORTS.gateway}`, '--state-dir', stateDir];
  const registry =
    kubeconfig === undefined ? ['--registry-dir', clusterFiles(stateDir, name).registryDir] : ['--kubernetes', '--kubeconfig', kubeconfig];
  return {
    name: `${name}-agent`,
    argv: [...HAWSER, 'agent', 'run', '--token', token, ...registry, ...place, ...agentFlags],
    address,
    adminPort: PORTS.agentAdmin,
  };
}

/** The API server of a cluster on Kubernetes, and what acts there beside the agent. It is no part of the region that is killed. */
export function kubernetesSpec({ name, address }: DemoCluster, { stateDir, loopbackBase }: KubernetesPlace): ProcessSpec {
  const place = ['--cluster', name, '--loopback-base', loopbackBase, '--state-dir', stateDir];
  const argv = [process.execPath, join(ROOT, 'deploy/demo/kubernetes/main.ts'), ...place] as const;
  return { name: `kubernetes-${name}`, argv, address, adminPort: KUBELET_PORT };
}

/** `hawser proxy run --gateway`. */
export function gatewaySpec(cluster: DemoCluster, stateDir: string): ProcessSpec {
  const { name, address } = cluster;
  const argv = [...HAWSER, 'proxy', 'run', '--gateway', '--name', 'gateway', ...proxyPlace(cluster, address, stateDir)] as const;
  return {
    name: `${name}-gateway`,
    argv: [...argv, '--token-file', clusterFiles(stateDir, name).tokenOf('gateway')],
    address,
    adminPort: PORTS.envoyAdmin,
  };
}

/** `hawser proxy run` for a workload. */
export function sidecarSpec(cluster: DemoCluster, workload: Workload, stateDir: string): ProcessSpec {
  const { name, address, service } = workload;
  // On Kubernetes a Pod's token says who the proxy is, elsewhere one of the agent's for the account.
  const isPod = cluster.kubeconfig !== undefined;
  const who = ['--name', isPod ? `${name}.${NAMESPACE}` : name, '--namespace', NAMESPACE, '--service-account', service];
  // Pods share this machine's loopback here, so each has an address of its own there.
  const loopback = isPod ? ['--admin-address', callAddressOf(workload), '--outbound-address', callAddressOf(workload)] : [];
  const argv = [...HAWSER, 'proxy', 'run', ...who, ...proxyPlace(cluster, address, stateDir), ...loopback] as const;
  return {
    name: `${cluster.name}-${name}-proxy`,
    argv: [...argv, '--token-file', clusterFiles(stateDir, cluster.name).tokenOf(isPod ? name : service)],
    address: isPod ? callAddressOf(workload) : address,
    adminPort: PORTS.envoyAdmin,
  };
}

function proxyPlace(cluster: DemoCluster, address: string, stateDir: string): string[] {
  const agent = ['--agent', `${cluster.address}:${PORTS.agentXds}`, '--agent-admin', `${cluster.address}:${PORTS.agentAdmin}`];
  return [
    '--cluster',
    cluster.name,
    '--address',
    address,
    ...agent,
    '--region',
    cluster.region,
    '--zone',
    cluster.zone,
    '--state-dir',
    stateDir,
  ];
}

/** A workload's application: a Bookinfo service, or for `client` its steady traffic. */
export function appSpec(cluster: DemoCluster, workload: Workload, stateDir: string): ProcessSpec {
  const { address, name, service, version } = workload;
  const demo = (file: string): [string, string, string, string] => [
    process.execPath,
    '--max-semi-space-size=2',
    '--max-old-space-size=128',
    join(ROOT, 'deploy/demo', file),
  ];
  const steady = [
    '--via',
    sidecarOf(workload),
    '--host',
    hostOf('productpage'),
    '--rate',
    '3',
    '--post-every',
    '0',
    '--name',
    `steady-${cluster.name}`,
  ];
  const place = [
    '--version',
    version,
    '--cluster',
    cluster.name,
    '--region',
    cluster.region,
    '--address',
    address,
    '--port',
    String(APP_PORT),
  ];
  const isPod = cluster.kubeconfig !== undefined;
  const sidecar = isPod ? ['--sidecar', callAddressOf(workload)] : [];
  const posts = ['--posts-file', clusterFiles(stateDir, cluster.name).postsOf(name)];
  const argv =
    service === 'client'
      ? ([...demo('load-client.ts'), ...steady] as const)
      : ([...demo(`bookinfo/${service}.ts`), ...place, ...sidecar, ...posts] as const);
  return { name: `${cluster.name}-${name}-app`, argv, address, adminPort: APP_PORT };
}

/** The front door for a browser, through the sidecars of the clients, the first region's first. */
export function ingressSpec(clusters: readonly DemoCluster[], port: number): ProcessSpec {
  const clients = clusters.flatMap(({ workloads }) => workloads.filter(({ service }) => service === 'client'));
  const via = clients.flatMap((client) => ['--via', sidecarOf(client)]);
  const argv = [process.execPath, join(ROOT, 'deploy/demo/bookinfo/ingress.ts'), '--listen', `127.0.0.1:${port}`, ...via] as const;
  return { name: 'ingress', argv, address: '127.0.0.1', adminPort: port };
}
