/** The exports of one service, of all clusters → the one import that they make (KEP-1645, "Constraints and Conflict Resolution"). Pure. */
import type { ImportSpec } from '../multicluster.ts';
import type { ExportedPort, ExportFacts } from './export-facts.ts';

/** One cluster's export. */
export interface ClusterExport {
  readonly cluster: string;
  readonly facts: ExportFacts;
}

/** Reasons of the condition `Conflict` of ServiceExports (mcs-api v0.5). */
export type ConflictReason =
  | 'PortConflict'
  | 'TypeConflict'
  | 'IPFamilyConflict'
  | 'SessionAffinityConflict'
  | 'SessionAffinityConfigConflict'
  | 'InternalTrafficPolicyConflict'
  | 'TrafficDistributionConflict'
  | 'LabelsConflict'
  | 'AnnotationsConflict';

/** What the exports do not agree about; it holds for each of them. */
export interface ExportConflict {
  readonly reason: ConflictReason;
  /** Names the field, what each cluster says, and whose word is in force. */
  readonly message: string;
}

/** An import before it has addresses. */
export interface MergedImport {
  /**
   * `ipFamilies` are those that the oldest export names, which where the address is the API server's may be others than it has one of:
   * its own `ipFamilies` have to be those of its addresses.
   */
  readonly spec: Omit<ImportSpec, 'ips'>;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Those that export it, sorted. */
  readonly clusters: readonly string[];
  /** In the order of the reasons above; none when all agree. */
  readonly conflicts: readonly ExportConflict[];
}

/** Kubernetes' default of `sessionAffinityConfig.clientIP.timeoutSeconds`. */
const AFFINITY_SECONDS = 10_800;

/**
 * Merges exports, in whatever order they come; undefined for none. Ports are the union; of all else the oldest export's word is in force.
 * One whose age is unknown is younger than all that have one, so that it cannot take over what is in force; of equal age the first
 * cluster by name is taken for the older.
 */
export function mergedExports(exports: readonly ClusterExport[]): MergedImport | undefined {
  const sorted = [...exports].sort(bySeniority);
  const [oldest] = sorted;
  if (oldest === undefined) return undefined;
  const { facts } = oldest;
  return {
    spec: specOf(facts, sorted),
    labels: facts.labels ?? {},
    annotations: facts.annotations ?? {},
    clusters: sorted.map(({ cluster }) => cluster).sort(),
    conflicts: conflictsOf(sorted),
  };
}

/** Whose word goes first: the older export's. */
export function bySeniority(a: ClusterExport, b: ClusterExport): number {
  return bornAt(a.facts) - bornAt(b.facts) || (a.cluster < b.cluster ? -1 : a.cluster > b.cluster ? 1 : 0);
}

/** Ms since 1970; late beyond all dates where it is unknown. */
export function bornAt({ createdAt = '' }: Pick<ExportFacts, 'createdAt'>): number {
  const at = Date.parse(createdAt);
  return Number.isNaN(at) ? Number.MAX_SAFE_INTEGER : at;
}

function specOf(facts: ExportFacts, sorted: readonly ClusterExport[]): MergedImport['spec'] {
  const { type, sessionAffinityConfig, trafficDistribution } = facts;
  const ipFamilies = mergedFamilies(sorted);
  return {
    type,
    ports: mergedPorts(sorted),
    ...(type === 'Headless' || ipFamilies === undefined ? {} : { ipFamilies }),
    sessionAffinity: facts.sessionAffinity ?? 'None',
    ...(facts.sessionAffinity === undefined || sessionAffinityConfig === undefined ? {} : { sessionAffinityConfig }),
    internalTrafficPolicy: facts.internalTrafficPolicy ?? 'Cluster',
    ...(trafficDistribution === undefined ? {} : { trafficDistribution }),
  };
}

/** The families of the oldest export that names any; undefined where none does. `sorted` is by seniority. */
export function mergedFamilies(sorted: readonly Pick<ClusterExport, 'facts'>[]): ImportSpec['ipFamilies'] {
  const [families] = sorted.flatMap(({ facts: { ipFamilies = [] } }) => (ipFamilies.length === 0 ? [] : [[...new Set(ipFamilies)]]));
  return families;
}

/**
 * A Service has no two ports of one name, nor of one number and protocol: of such the older export's stands. Registry files may leave
 * several ports of one Service without a name; those are not each other's.
 */
function mergedPorts(sorted: readonly ClusterExport[]): ExportedPort[] {
  const ports: ExportedPort[] = [];
  for (const { facts } of sorted) {
    const isFree = (port: ExportedPort): boolean =>
      !ports.some((other) => (other.name ?? '') === (port.name ?? '') || numberOf(other) === numberOf(port));
    ports.push(...facts.ports.filter(isFree));
  }
  return ports;
}

function numberOf({ protocol, port }: ExportedPort): string {
  return `${port}/${protocol}`;
}

/** A field that exports have to agree about: its text is equal where they do; undefined where an export says nothing of it. */
interface Field {
  readonly reason: ConflictReason;
  readonly path: string;
  readonly textOf: (facts: ExportFacts) => string | undefined;
}

const FIELDS: readonly Field[] = [
  { reason: 'PortConflict', path: 'spec.ports', textOf: ({ ports }) => ports.map(portText).sort().join(', ') || 'none' },
  { reason: 'TypeConflict', path: 'spec.type', textOf: ({ type }) => type },
  { reason: 'IPFamilyConflict', path: 'spec.ipFamilies', textOf: ({ ipFamilies }) => ipFamilies?.join(', ') },
  { reason: 'SessionAffinityConflict', path: 'spec.sessionAffinity', textOf: ({ sessionAffinity = 'None' }) => sessionAffinity },
  { reason: 'SessionAffinityConfigConflict', path: 'spec.sessionAffinityConfig.clientIP.timeoutSeconds', textOf: affinitySeconds },
  {
    reason: 'InternalTrafficPolicyConflict',
    path: 'spec.internalTrafficPolicy',
    textOf: ({ internalTrafficPolicy = 'Cluster' }) => internalTrafficPolicy,
  },
  {
    reason: 'TrafficDistributionConflict',
    path: 'spec.trafficDistribution',
    textOf: ({ trafficDistribution = 'none' }) => trafficDistribution,
  },
  { reason: 'LabelsConflict', path: 'exported labels', textOf: ({ labels }) => mapText(labels) },
  { reason: 'AnnotationsConflict', path: 'exported annotations', textOf: ({ annotations }) => mapText(annotations) },
];

function portText({ name, appProtocol, ...number }: ExportedPort): string {
  const said = [name, numberOf(number), appProtocol === undefined ? undefined : `(${appProtocol})`];
  return said.filter((word) => word !== undefined).join(' ');
}

/** Only those that keep clients differ in how long. */
function affinitySeconds({ sessionAffinity, sessionAffinityConfig }: ExportFacts): string | undefined {
  if (sessionAffinity === undefined) return undefined;
  return String(sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS);
}

function mapText(map: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(Object.fromEntries(pairs));
}

/** What a message shows of one value, and of the clusters that say it: conditions are read by people, and have bounds. */
const MOST_TEXT = 200;
const MOST_CLUSTERS = 5;

function conflictsOf(sorted: readonly ClusterExport[]): ExportConflict[] {
  return FIELDS.flatMap(({ reason, path, textOf }) => {
    const said = sorted.flatMap(({ cluster, facts }) => {
      const text = textOf(facts);
      return text === undefined ? [] : [{ cluster, text }];
    });
    const groups = [...Map.groupBy(said, ({ text }) => text)];
    if (groups.length < 2) return [];
    const all = groups.map(([text, group]) => `${shortened(text)} in ${clusterList(group.map(({ cluster }) => cluster))}`);
    const winner = said[0]?.cluster ?? '';
    const outcome =
      reason === 'PortConflict' ? `their union is exposed, ${winner} deciding where two collide` : `that of ${winner} is in force`;
    return [{ reason, message: `${path} differs: ${bounded(all).join('; ')}; ${outcome}, the oldest export` }];
  });
}

function shortened(text: string): string {
  return text.length <= MOST_TEXT ? text : `${text.slice(0, MOST_TEXT)}…`;
}

function clusterList(clusters: readonly string[]): string {
  return bounded(clusters).join(', ');
}

function bounded(words: readonly string[]): readonly string[] {
  return words.length <= MOST_CLUSTERS ? words : [...words.slice(0, MOST_CLUSTERS), `${words.length - MOST_CLUSTERS} more`];
}
