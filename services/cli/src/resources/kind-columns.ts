/** The columns of `get`, per kind. */
import { ADOPTABLE } from '@hawser/model/adoption.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { ageOf } from '../output/age.ts';
import type { Column } from '../output/table.ts';

type ResourceColumn = Column<Resource>;

/** Columns of a kind's table; `NAMESPACE` first when several may be shown. */
export function kindColumns(
  kind: string,
  options: { readonly namespaces: boolean; readonly wide: boolean; readonly now: number },
): ResourceColumn[] {
  const namespace: ResourceColumn[] = options.namespaces ? [{ title: 'NAMESPACE', cell: ({ metadata }) => metadata.namespace ?? '' }] : [];
  const name: ResourceColumn = { title: 'NAME', cell: ({ metadata }) => metadata.name };
  const owner: ResourceColumn[] = MAY_BE_OWNED.has(kind) ? [status('OWNER', ownerText)] : [];
  const all = [...namespace, name, ...(OWN_COLUMNS[kind] ?? []), ...owner, ...WIDE_COLUMNS, ageColumn(options.now)];
  return all.filter((column) => options.wide || column.wide !== true);
}

function ageColumn(now: number): ResourceColumn {
  return { title: 'AGE', cell: ({ metadata }) => ageOf(metadata.creationTimestamp, now) };
}

/** A field of the spec as text: lists joined, the rest as it is. */
function spec(title: string, read: (spec: Record<string, unknown>) => unknown): ResourceColumn {
  return { title, cell: (resource) => textOf(read((resource.spec ?? {}) as Record<string, unknown>)) };
}

function status(title: string, read: (status: Record<string, unknown>) => unknown): ResourceColumn {
  return { title, cell: (resource) => textOf(read((resource.status ?? {}) as Record<string, unknown>)) };
}

/** `True`, `False` or `Unknown`; the reason when it is not true. */
function condition(type: string): ResourceColumn {
  return {
    title: type.toUpperCase(),
    cell: (resource) => {
      const found = conditionsOf(resource).find((candidate) => candidate.type === type);
      if (found === undefined) return '';
      return found.status === 'True' || found.reason === '' ? found.status : `${found.status} (${found.reason})`;
    },
  };
}

/** A condition of a resource's status. */
export interface ConditionText {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** The conditions in a resource's status, read leniently. */
export function conditionsOf(resource: Resource): ConditionText[] {
  const { conditions } = (resource.status ?? {}) as { conditions?: unknown };
  if (!Array.isArray(conditions)) return [];
  return conditions.map((item: Partial<ConditionText>) => ({
    type: item.type ?? '',
    status: item.status ?? '',
    reason: item.reason ?? '',
    message: item.message ?? '',
  }));
}

const SERVICES = spec('SERVICES', ({ services }) => services ?? '*');

const OWN_COLUMNS: Readonly<Record<string, readonly ResourceColumn[]>> = {
  Cluster: [
    spec('REGION', ({ region }) => region),
    spec('ZONE', ({ zone }) => zone),
    spec('PROVIDER', ({ provider }) => provider),
    { ...spec('NETWORK', ({ network }) => network), wide: true },
    condition('Ready'),
  ],
  JoinToken: [
    spec('CLUSTER', ({ cluster }) => cluster),
    spec('REGION', ({ region }) => region),
    spec('TTL', ({ ttl }) => ttl),
    status('PHASE', ({ phase, used, state }) => phase ?? state ?? used),
  ],
  FailoverPolicy: [
    SERVICES,
    spec('ORDER', ({ order }) => order),
    spec('SPILLOVER', ({ spillover }) => spillover ?? 'gradual'),
    condition('Programmed'),
  ],
  TrafficShift: [
    SERVICES,
    spec('WEIGHTS', ({ regions, clusters, subsets }) => pairs(regions ?? clusters ?? subsets)),
    status('PHASE', ({ phase }) => phase),
    condition('Programmed'),
  ],
  Drain: [
    spec('SCOPE', ({ scope }) => pairs(scope)),
    spec('SERVICES', ({ services }) => drainedServices(services)),
    spec('PERCENT', ({ percent }) => percent),
    condition('Programmed'),
  ],
  Freeze: [
    condition('Active'),
    spec('WINDOWS', ({ windows }) => freezeTimes(windows)),
    spec('UNTIL', ({ until }) => until ?? 'deleted'),
    spec('SCOPE', ({ scope }) => (scope === undefined ? '*' : pairs(scope))),
    spec('REASON', ({ reason }) => reason),
  ],
  SafetyRule: [
    condition('Holds'),
    spec('TYPE', ({ type }) => type),
    spec('CONDITION', ({ condition: text }) => text),
    spec('SCOPE', ({ scope }) => (scope === undefined ? '*' : pairs(scope))),
    spec('OVERRIDABLE', ({ overridable }) => overridable ?? true),
    { ...spec('MESSAGE', ({ message }) => message), wide: true },
  ],
  VirtualService: [
    spec('HOSTS', ({ hosts }) => hosts),
    spec('ROUTES', ({ http }) => (Array.isArray(http) ? http.length : '')),
    condition('Programmed'),
  ],
  DestinationRule: [
    spec('HOST', ({ host }) => host),
    spec('SUBSETS', ({ subsets }) => (Array.isArray(subsets) ? subsets.map((subset: { name?: string }) => subset.name) : '')),
    condition('Programmed'),
  ],
  ServiceImport: [
    spec('TYPE', ({ type }) => type),
    spec('PORTS', ({ ports }) => (Array.isArray(ports) ? ports.map((port: { port?: number }) => port.port) : '')),
    status('CLUSTERS', ({ clusters }) =>
      Array.isArray(clusters) ? clusters.map((item: { cluster?: string }) => item.cluster ?? item) : '',
    ),
  ],
};

/** Kinds of which clusters may have their own. */
const MAY_BE_OWNED: ReadonlySet<string> = new Set(ADOPTABLE.map(({ kind }) => kind));

/** The cluster whose it is; `hub` for what is written there. */
function ownerText({ owner }: Record<string, unknown>): string {
  return (owner as { readonly cluster?: string } | undefined)?.cluster ?? 'hub';
}

const WIDE_COLUMNS: readonly ResourceColumn[] = [
  { ...condition('Accepted'), wide: true },
  { ...condition('ResolvedRefs'), wide: true },
  { ...condition('Placed'), wide: true },
  { title: 'REVISION', cell: ({ metadata }) => metadata.resourceVersion ?? '', wide: true },
  { title: 'LABELS', cell: ({ metadata }) => pairs(metadata.labels), wide: true },
];

function drainedServices(services: unknown): string {
  const { namespaces = [], names = [] } = (services ?? {}) as { namespaces?: readonly string[]; names?: readonly string[] };
  return services === undefined ? '*' : textOf([...namespaces.map((namespace) => `${namespace}/*`), ...names]);
}

function freezeTimes(windows: unknown): string {
  const { timeZone, ...times } = (windows ?? {}) as Record<string, unknown>;
  if (Object.keys(times).length === 0) return 'always';
  return `${pairs(times)} ${textOf(timeZone ?? 'UTC')}`;
}

function pairs(record: unknown): string {
  return Object.entries((record ?? {}) as Record<string, unknown>)
    .map(([key, value]) => `${key}=${textOf(value)}`)
    .join(',');
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map(textOf).join(',');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
