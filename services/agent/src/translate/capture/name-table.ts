/** What resolvers answer with (RFC 1035, 2782; KEP-1645's DNS specification 1.0.0): the table that captured workloads are handed. Pure. */
import type { NamedEndpoint } from '../services/clusterset-service.ts';
import type { AddressedHost } from './named-hosts.ts';

/** `HOSTNAME.CLUSTER`, its address, and where it listens by the names of ports. */
type EndpointRow = readonly [string, string, Readonly<Record<string, number>>];

/** The table as JSON has it; sections that say nothing are left out. */
export interface NameTable {
  /** Names below them are the mesh's alone: one that is not in the table does not exist. */
  readonly zones: readonly string[];
  /** Name → addresses. */
  readonly names: Readonly<Record<string, readonly string[]>>;
  /** Host with an address for all its endpoints → its ports by name. */
  readonly ports?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Host whose endpoints stand for themselves → those that can be called so. */
  readonly headless?: Readonly<Record<string, readonly EndpointRow[]>>;
}

const OWN_ZONE = 'svc.clusterset.local';

/** The table of hosts. Names whose addresses are ranges are not in it, nor headless services of which no endpoint is ready. */
export function nameTable(hosts: readonly AddressedHost[]): NameTable {
  const known = hosts.map((host) => ({ host, addresses: answered(host) })).filter(({ addresses }) => addresses.length > 0);
  const names = known.flatMap(({ host, addresses }) => [host.host, ...host.aliases].map((name) => [name, addresses] as const));
  const ports = known.flatMap(({ host }) => (host.headless === undefined && host.tellsPorts === true ? portRow(host) : []));
  const headless = known.flatMap(({ host }) =>
    host.headless === undefined ? [] : [[host.host, host.headless.endpoints.map((endpoint) => rowOf(endpoint, host))] as const],
  );
  return {
    zones: [OWN_ZONE],
    names: Object.fromEntries(names.sort(([a], [b]) => (a < b ? -1 : 1))),
    ...(ports.length === 0 ? {} : { ports: Object.fromEntries(ports) }),
    ...(headless.length === 0 ? {} : { headless: Object.fromEntries(headless) }),
  };
}

/**
 * Of a headless service the endpoints' own addresses; where some are in networks that no packet gets to, the service's virtual address
 * stands for those, once: through it the caller's Envoy reaches them all.
 */
function answered({ host, addresses, headless }: AddressedHost): readonly string[] {
  const single = host.startsWith('*') ? [] : addresses.filter((address) => !address.includes('/'));
  if (headless === undefined) return single;
  return [...new Set(headless.endpoints.map(({ address }) => address)), ...(headless.isBeyond ? single : [])];
}

function portRow({ host, ports }: AddressedHost): (readonly [string, Readonly<Record<string, number>>])[] {
  const named = ports.flatMap(({ name, port }) => (name === undefined ? [] : [[name, port] as const]));
  return named.length === 0 ? [] : [[host, Object.fromEntries(named)]];
}

function rowOf({ name, address, targets }: NamedEndpoint, { ports }: AddressedHost): EndpointRow {
  const named = ports.flatMap(({ name: port, port: number }) => {
    const target = targets[String(number)];
    return port === undefined || target === undefined ? [] : [[port, target] as const];
  });
  return [name, address, Object.fromEntries(named)];
}
