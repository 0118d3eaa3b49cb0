/** The table of all behaviours, read from the files that declare them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A behaviour as it is declared. */
export interface Declared {
  readonly id: string;
  readonly field: string;
  readonly seen: string;
  readonly file: string;
}

const AREAS: Readonly<Record<string, string>> = {
  VS: 'VirtualService',
  TS: 'TrafficShift',
  DN: 'Drain, spill and shares of clusters',
  DI: 'Drills',
  TE: 'Telemetry',
  EX: 'AuthorizationPolicy and WasmPlugin',
  DR: 'DestinationRule',
  SE: 'ServiceEntry, WorkloadEntry, WorkloadGroup',
  GW: 'Gateway',
  GM: 'Gateway mode',
  AZ: 'AuthorizationPolicy',
  JWT: 'RequestAuthentication',
  PA: 'PeerAuthentication',
  SC: 'Sidecar and scope',
  DNS: 'DNS and capture',
  PR: 'Protocols',
};

const LITERAL = String.raw`('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")`;
const DECLARATION = new RegExp(String.raw`\bbehaviour\(\s*${LITERAL},\s*${LITERAL},\s*${LITERAL},`, 'g');

/** All behaviours of the test files of a folder, by area and number. Throws when one is not declared with literals. */
export function declaredIn(folder: string): Declared[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.test.ts'));
  return files.flatMap((file) => declarations(readFileSync(join(folder, file), 'utf8'), file)).sort(byId);
}

/** The behaviours that a source declares. */
export function declarations(source: string, file: string): Declared[] {
  const found = [...source.matchAll(DECLARATION)].map(([, id = '', field = '', seen = '']) => ({
    ...{ id: textOf(id), field: textOf(field), seen: textOf(seen) },
    file,
  }));
  const calls = source.match(/^\s*behaviour\(/gm)?.length ?? 0;
  if (calls !== found.length)
    throw new Error(`${file}: ${calls} behaviours, of which ${found.length} have literals for id, field and what is seen`);
  return found;
}

/** The document, a table for each area. */
export function behavioursDocument(all: readonly Declared[]): string {
  const byArea = Map.groupBy(all, ({ id }) => areaOf(id));
  const sections = Object.entries(AREAS).flatMap(([area, title]) => sectionOf(`${area}: ${title}`, byArea.get(area) ?? []));
  return `${HEAD}\n${sections.join('\n')}`;
}

/** What is wrong with a set of declarations. */
export function problemsOf(all: readonly Declared[]): string[] {
  const counts = Map.groupBy(all, ({ id }) => id);
  const repeated = [...counts]
    .filter(([, same]) => same.length > 1)
    .map(([id, same]) => `${id} is in ${same.map(({ file }) => file).join(' and ')}`);
  const strange = all.filter(({ id }) => !/^[A-Z]+-\d{3}$/.test(id) || AREAS[areaOf(id)] === undefined).map(({ id }) => `${id} is no id`);
  return [...repeated, ...strange];
}

const HEAD = `# Behaviours

Each is one field or rule of policy, shown by real requests through real Envoys. Made from the tests by \`npm run golden -- test/behaviour/listing.test.ts\`.
`;

function sectionOf(title: string, rows: readonly Declared[]): string[] {
  if (rows.length === 0) return [];
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const lines = rows.map(({ id, field, seen, file }) => `| ${id} | \`${cell(field)}\` | ${cell(seen)} | \`${file}\` |`);
  return [`## ${title}\n`, '| id | field or rule | what is seen | `test/behaviour/` |', '|---|---|---|---|', ...lines, ''];
}

function areaOf(id: string): string {
  return id.slice(0, id.indexOf('-'));
}

function textOf(literal: string): string {
  return literal.slice(1, -1).replace(/\\(.)/g, '$1');
}

function byId(a: Declared, b: Declared): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
