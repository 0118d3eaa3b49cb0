/** PURE: short columns for Envoy resources in protobuf JSON; the whole of them is `-o json`. */
import type { Column } from '../output/table.ts';
import type { ConfigSection } from './proxy-config-command.ts';

type Message = Readonly<Record<string, unknown>>;

/** The columns of a section. */
export function configColumns(section: ConfigSection): Column<Message>[] {
  return COLUMNS[section];
}

const NAME: Column<Message> = { title: 'NAME', cell: (resource) => textAt(resource, 'name') };

const COLUMNS: Readonly<Record<ConfigSection, Column<Message>[]>> = {
  clusters: [
    NAME,
    { title: 'TYPE', cell: (cluster) => textAt(cluster, 'type') },
    { title: 'CONNECT', cell: (cluster) => textAt(cluster, 'connectTimeout') },
  ],
  listeners: [
    NAME,
    { title: 'ADDRESS', cell: ({ address }) => addressText(address) || 'internal' },
    {
      title: 'CHAINS',
      cell: (listener) => String(listAt(listener, 'filterChains').length + (listener['defaultFilterChain'] === undefined ? 0 : 1)),
    },
  ],
  routes: [
    NAME,
    { title: 'HOSTS', cell: (config) => String(listAt(config, 'virtualHosts').length) },
    {
      title: 'ROUTES',
      cell: (config) => String(listAt(config, 'virtualHosts').reduce((sum, host) => sum + listAt(host, 'routes').length, 0)),
    },
  ],
  endpoints: [
    { title: 'CLUSTER', cell: (assignment) => textAt(assignment, 'clusterName') },
    { title: 'LOCALITIES', cell: (assignment) => listAt(assignment, 'endpoints').map(localityText).join(', ') },
  ],
  secrets: [
    NAME,
    {
      title: 'HOLDS',
      cell: (secret) =>
        Object.keys(secret)
          .filter((key) => key !== 'name' && key !== '@type')
          .join(', '),
    },
  ],
};

/** `P0 us-east: 3 (50)`: priority, place, hosts, weight. */
function localityText(locality: Message): string {
  const place = (locality['locality'] ?? {}) as { region?: string; zone?: string };
  const weight = locality['loadBalancingWeight'];
  return `P${Number(locality['priority'] ?? 0)} ${place.region ?? '-'}: ${listAt(locality, 'lbEndpoints').length}${weight === undefined ? '' : ` (${weight})`}`;
}

function addressText(address: unknown): string {
  const { socketAddress } = (address ?? {}) as { socketAddress?: { address?: string; portValue?: number } };
  return socketAddress === undefined ? '' : `${socketAddress.address}:${socketAddress.portValue}`;
}

function textAt(message: Message, key: string): string {
  const value = message[key];
  return value === undefined || value === null ? '' : String(value);
}

function listAt(message: Message, key: string): readonly Message[] {
  const value = message[key];
  return Array.isArray(value) ? value : [];
}
