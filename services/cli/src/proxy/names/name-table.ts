/** The names of the mesh, what they mean and which services are there, as Envoy hands them over. */
import { isIP } from 'node:net';
import { ipv4Twin } from '@hawser/model/virtual-ipv6.ts';

/** What an agent says of names. */
export interface NameTable {
  /** Zones of the mesh: a name of one that is not in the table does not exist. */
  readonly zones: readonly string[];
  /** Lower-case name, or `*.` and a suffix, → its addresses. */
  readonly names: ReadonlyMap<string, readonly string[]>;
  /** What some name is below of, within the zones: it exists, and has no address (RFC 8020). */
  readonly above: ReadonlySet<string>;
  /** Lower-case host → where its ports are, by their names: one place, or one for each endpoint of a headless service. */
  readonly services: ReadonlyMap<string, ReadonlyMap<string, readonly ServicePlace[]>>;
  /** Names of headless services and of their endpoints, which come and go with those. */
  readonly brief: ReadonlySet<string>;
}

/** Where a port is (RFC 2782). */
export interface ServicePlace {
  readonly target: string;
  readonly port: number;
}

/**
 * Reads a table; throws when it is none. Sections that it does not have are empty: agents of an earlier release say names alone.
 * @param ipv6 Whether the workload's calls of virtual IPv6 addresses get anywhere; without, those are left out.
 */
export function parseNameTable(text: string, ipv6 = true): NameTable {
  const { zones, names, ports = {}, headless = {} } = JSON.parse(text) as Readonly<Record<string, unknown>>;
  if (!Array.isArray(zones) || !zones.every((zone) => typeof zone === 'string') || !isMap(names) || !isMap(ports) || !isMap(headless))
    throw new Error('it has not the shape of a table of names');
  const endpoints = Object.entries(headless).map(([host, rows]) => [host.toLowerCase(), endpointsOf(host, rows)] as const);
  const isCallable = (address: string): boolean => ipv6 || ipv4Twin(address) === undefined;
  const named = Object.entries(names).map(
    ([name, addresses]) => [name.toLowerCase(), addressesOf(name, addresses).filter(isCallable)] as const,
  );
  const own = endpoints.flatMap(([host, rows]) => rows.map(({ name, address }) => [`${name}.${host}`, address] as const));
  const ofEndpoints = [...Map.groupBy(own, ([name]) => name)].map(([name, rows]) => [name, rows.map(([, address]) => address)] as const);
  const all = new Map<string, readonly string[]>([...ofEndpoints, ...named]);
  return {
    zones,
    names: all,
    above: aboveOf(all.keys(), zones),
    services: new Map([
      ...Object.entries(ports).map(([host, found]) => [host.toLowerCase(), placesOf(host, found)] as const),
      ...endpoints.map(([host, rows]) => [host, placesOfEndpoints(host, rows)] as const),
    ]),
    brief: new Set([...endpoints.map(([host]) => host), ...ofEndpoints.map(([name]) => name)]),
  };
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function addressesOf(name: string, addresses: unknown): readonly string[] {
  if (!Array.isArray(addresses) || !addresses.every((one) => typeof one === 'string' && isIP(one) !== 0))
    throw new Error(`${name} has no list of addresses`);
  return addresses as string[];
}

interface EndpointRow {
  readonly name: string;
  readonly address: string;
  readonly ports: readonly (readonly [string, number])[];
}

function endpointsOf(host: string, rows: unknown): readonly EndpointRow[] {
  if (!Array.isArray(rows)) throw new Error(`${host} has no list of endpoints`);
  return rows.map((row: unknown) => {
    const [name, address, ports] = Array.isArray(row) ? (row as unknown[]) : [];
    if (typeof name !== 'string' || typeof address !== 'string' || isIP(address) === 0)
      throw new Error(`${host} has an endpoint that is none`);
    return { name: name.toLowerCase(), address, ports: portsOf(host, ports) };
  });
}

function portsOf(host: string, ports: unknown): readonly (readonly [string, number])[] {
  if (!isMap(ports)) throw new Error(`${host} has no ports by name`);
  return Object.entries(ports).map(([name, port]) => {
    if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535)
      throw new Error(`${host} has a port that is none`);
    return [name.toLowerCase(), port] as const;
  });
}

function placesOf(host: string, ports: unknown): Map<string, readonly ServicePlace[]> {
  return new Map(portsOf(host, ports).map(([name, port]) => [name, [{ target: host.toLowerCase(), port }]]));
}

function placesOfEndpoints(host: string, rows: readonly EndpointRow[]): Map<string, readonly ServicePlace[]> {
  const places = rows.flatMap(({ name, ports }) => ports.map(([named, port]) => [named, { target: `${name}.${host}`, port }] as const));
  return new Map([...Map.groupBy(places, ([name]) => name)].map(([name, found]) => [name, found.map(([, place]) => place)]));
}

function aboveOf(names: Iterable<string>, zones: readonly string[]): Set<string> {
  const above = new Set(zones);
  for (const name of names)
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const parent = name.slice(dot + 1);
      if (above.has(parent) || !isWithin(parent, zones)) break;
      above.add(parent);
    }
  return above;
}

/** What is known of a lower-case name without a dot at its end. */
export type Known = { readonly addresses: readonly string[]; readonly places: readonly ServicePlace[] } | 'above' | 'absent' | 'foreign';

/** Its addresses and the places of its ports; that there are only names below it; that it does not exist; or that it is not the mesh's. */
export function lookUp(table: NameTable, name: string): Known {
  const addresses = table.names.get(name) ?? wildcardOf(table, name);
  // Of a host itself all its ports are told, as cluster DNS does.
  if (addresses !== undefined) return { addresses, places: [...(table.services.get(name)?.values() ?? [])].flat() };
  if (!isWithin(name, table.zones)) return 'foreign';
  const [, port, host = ''] = /^(?:_([^.]+)\.)?_tcp\.(.+)$/.exec(name) ?? [];
  const services = table.services.get(host);
  if (services !== undefined && port === undefined) return 'above';
  const places = services?.get(port ?? '');
  if (places !== undefined) return { addresses: [], places };
  return table.above.has(name) ? 'above' : 'absent';
}

/** Whether a name is in one of the zones. */
export function isWithin(name: string, zones: readonly string[]): boolean {
  return zones.some((zone) => name === zone || name.endsWith(`.${zone}`));
}

/** The longest suffix wins. */
function wildcardOf({ names }: NameTable, name: string): readonly string[] | undefined {
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    const addresses = names.get(`*${name.slice(dot)}`);
    if (addresses !== undefined) return addresses;
  }
  return undefined;
}
