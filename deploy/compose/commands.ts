/** What the one-shot services of docker-compose.yml run: the product's own commands, as argument lists. Pure. */
import { PORTS } from '@hawser/model/ports.ts';
import { type DemoCluster, demoClusters, NAMESPACE, REGIONS } from '../demo/topology.ts';

/** Clusters as in the demo, on the networks of the compose file: cluster i on 10.77.i.0/24. */
export const CLUSTERS: readonly DemoCluster[] = demoClusters('10.77');

/** Where volumes are mounted. */
export const PLACES = {
  hubState: '/var/lib/hawser',
  postgresTls: '/volumes/postgres-tls',
  natsConfig: '/volumes/nats-config',
  natsData: '/volumes/nats-data',
  registry: '/volumes/registry',
  /** State of an agent, as the one-shot services see it. */
  stateOf: (cluster: string): string => `/volumes/${cluster}-state`,
  /** Bootstraps of a cluster's proxies. */
  proxiesOf: (cluster: string): string => `/volumes/${cluster}-proxies`,
} as const;

/** Address of a cluster's gateway on the network between regions: 10.77.0.i. */
export function gatewayAddress(cluster: DemoCluster): string {
  return `10.77.0.${REGIONS.indexOf(cluster.name as (typeof REGIONS)[number]) + 1}`;
}

/** Certificates and the configuration of NATS, before anything listens. */
export function setupCommands(): readonly (readonly string[])[] {
  const { postgresTls, natsConfig } = PLACES;
  return [
    ['hub', 'certificate', '--name', 'postgres', '--out', postgresTls],
    ['hub', 'certificate', '--name', 'nats', '--out', natsConfig],
    ['hub', 'nats-config', '--tls-cert', '/etc/nats/tls.crt', '--tls-key', '/etc/nats/tls.key', '--out', `${natsConfig}/nats.conf`],
  ];
}

/** A command and the file that takes its standard output. */
export interface Written {
  readonly argv: readonly string[];
  readonly file: string;
}

/** A join token for each cluster, into the state of its agent. */
export function joinCommands(): readonly Written[] {
  return CLUSTERS.map(({ name, region, zone }) => ({
    argv: ['cluster', 'join', name, '--region', region, '--zone', zone, '--provider', 'compose'],
    file: `${PLACES.stateOf(name)}/join.token`,
  }));
}

/** Bootstraps of a cluster's gateway and sidecars: each holds its token and the cluster's trust bundle. */
export function bootstrapCommands(cluster: DemoCluster): {
  readonly tokens: readonly (readonly string[])[];
  readonly bootstraps: readonly Written[];
} {
  const { name, address, region, zone } = cluster;
  const folder = PLACES.proxiesOf(name);
  const tokenFile = (account: string): string => `${PLACES.stateOf(name)}/tokens/${account}`;
  const state = ['--state-dir', PLACES.stateOf(name), '--cluster', name];
  const account = (service: string): string[] => ['--namespace', NAMESPACE, '--service-account', service];
  const agent = ['--agent', `${address}:${PORTS.agentXds}`, '--agent-ca', `${tokenFile('gateway')}.ca`, '--region', region, '--zone', zone];
  const services = [...new Set(cluster.workloads.map(({ service }) => service))];
  const gateway = ['proxy', 'bootstrap', '--gateway', '--name', 'gateway', ...state, '--address', gatewayAddress(cluster), ...agent];
  return {
    tokens: [
      ['proxy', 'token', '--gateway', ...state, '--out', tokenFile('gateway')],
      ...services.map((service) => ['proxy', 'token', ...account(service), ...state, '--out', tokenFile(service)]),
    ],
    bootstraps: [
      { argv: [...gateway, '--token-file', tokenFile('gateway')], file: `${folder}/gateway.json` },
      ...cluster.workloads.map((workload) => ({
        argv: [
          ...['proxy', 'bootstrap', '--name', workload.name, ...account(workload.service), ...state],
          ...['--address', workload.address, ...agent, '--token-file', tokenFile(workload.service)],
        ],
        file: `${folder}/${workload.name}.json`,
      })),
    ],
  };
}
