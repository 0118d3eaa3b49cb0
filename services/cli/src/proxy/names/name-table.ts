/** The names of the mesh and their addresses, as Envoy hands them over. */
import { isIP } from 'node:net';

/** What an agent says of names. */
export interface NameTable {
  /** Zones of the mesh: a name of one that is not in the table does not exist. */
  readonly zones: readonly string[];
  /** Lower-case name, or `*.` and a suffix, → its addresses. */
  readonly names: ReadonlyMap<string, readonly string[]>;
  /** What some name is below of, within the zones: it exists, and has no address (RFC 8020). */
  readonly above: ReadonlySet<string>;
}

/** Reads a table; throws when it is none. */
export function parseNameTable(text: string): NameTable {
  const { zones, names } = JSON.parse(text) as { zones?: unknown; names?: unknown };
  if (!Array.isArray(zones) || !zones.every((zone) => typeof zone === 'string') || typeof names !== 'object' || names === null)
    throw new Error('it has not the shape of a table of names');
  const rows = Object.entries(names).map(([name, addresses]: [string, unknown]) => {
    if (!Array.isArray(addresses) || !addresses.every((one) => typeof one === 'string' && isIP(one) !== 0))
      throw new Error(`${name} has no list of addresses`);
    return [name.toLowerCase(), addresses as string[]] as const;
  });
  return {
    zones,
    names: new Map(rows),
    above: aboveOf(
      rows.map(([name]) => name),
      zones,
    ),
  };
}

function aboveOf(names: readonly string[], zones: readonly string[]): Set<string> {
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
export type Known = { readonly addresses: readonly string[] } | 'above' | 'absent' | 'foreign';

/** Its addresses; that there are only names below it; that it does not exist; or that it is not the mesh's. */
export function lookUp(table: NameTable, name: string): Known {
  const addresses = table.names.get(name) ?? wildcardOf(table, name);
  if (addresses !== undefined) return { addresses };
  if (!isWithin(name, table.zones)) return 'foreign';
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
