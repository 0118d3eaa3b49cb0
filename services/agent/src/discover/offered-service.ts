/** A Service and its ServiceExport → what the other clusters are told of it beside its endpoints, and what of it callers will not get. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import { isLabelKey, isLabelValue } from '@hawser/model/label-selector.ts';
import { type ExportFacts, impliedFacts } from '@hawser/model/multicluster/export-facts.ts';
import { bornAt } from '@hawser/model/multicluster/merge-exports.ts';
import { namespaceOf, type ServiceExportObject, type ServiceObject } from './registry-kinds.ts';

/** What is told, and what its owners should know. */
export interface OfferedService {
  /** Undefined where it would be no more than what follows from the ports that the mesh carries. */
  readonly facts: ExportFacts | undefined;
  readonly warnings: readonly string[];
}

/** Exported labels and annotations together, in UTF-16 units: every cluster holds them. */
const MOST_COPIED = 16_384;

/** What an exported Service offers; `carried` are its ports of TCP. */
export function offeredService(service: ServiceObject, exported: ServiceExportObject, carried: readonly ServicePort[]): OfferedService {
  const copied = copiedMaps(exported);
  const facts = { ...factsOf(service, exported), ...copied.maps };
  return {
    facts: isDeepStrictEqual(facts, impliedFacts(carried)) ? undefined : facts,
    warnings: [...unserved(service), ...copied.warnings],
  };
}

/** Whether a Service has no address of its own. */
export function isHeadless({ spec }: ServiceObject): boolean {
  return spec.clusterIP === 'None';
}

/** What Kubernetes means where nothing is said is left out. */
function factsOf(service: ServiceObject, { metadata }: ServiceExportObject): ExportFacts {
  const { ipFamilies, sessionAffinity, sessionAffinityConfig, internalTrafficPolicy, trafficDistribution } = service.spec;
  const createdAt = typeof metadata.creationTimestamp === 'string' ? metadata.creationTimestamp : undefined;
  const isDated = createdAt !== undefined && bornAt({ createdAt }) < Number.MAX_SAFE_INTEGER;
  return {
    ...(isDated ? { createdAt } : {}),
    type: isHeadless(service) ? 'Headless' : 'ClusterSetIP',
    ports: (service.spec.ports ?? []).map(({ name, port, protocol = 'TCP', appProtocol }) => ({
      ...(name === undefined ? {} : { name }),
      protocol,
      ...(appProtocol === undefined ? {} : { appProtocol }),
      port,
    })),
    ...(ipFamilies === undefined ? {} : { ipFamilies }),
    ...(sessionAffinity === 'ClientIP' ? { sessionAffinity } : {}),
    ...(sessionAffinity === 'ClientIP' && sessionAffinityConfig !== undefined ? { sessionAffinityConfig } : {}),
    ...(internalTrafficPolicy === 'Local' ? { internalTrafficPolicy } : {}),
    ...(trafficDistribution === undefined ? {} : { trafficDistribution }),
  };
}

/** Imports say it, as they must, and callers' sidecars do otherwise. */
function unserved(service: ServiceObject): string[] {
  const { ports = [], sessionAffinity, internalTrafficPolicy } = service.spec;
  const place = `Service ${namespaceOf(service)}/${service.metadata.name}`;
  const others = ports.filter(({ protocol = 'TCP' }) => protocol !== 'TCP').map(({ port, protocol }) => `${port}/${protocol}`);
  return [
    ...(others.length === 0
      ? []
      : [`${place}: ports ${others.join(', ')}: the mesh carries TCP alone; imports name them, and nobody can call them`]),
    ...(sessionAffinity === 'ClientIP'
      ? [
          `${place}: spec.sessionAffinity ClientIP: sidecars keep to no endpoint by it; a DestinationRule with loadBalancer.consistentHash makes them`,
        ]
      : []),
    ...(internalTrafficPolicy === 'Local'
      ? [`${place}: spec.internalTrafficPolicy Local: sidecars call endpoints of every node, the nearest cluster first`]
      : []),
  ];
}

/** `spec.exportedLabels` and `spec.exportedAnnotations`: what an API server would not take for the import is left out. */
function copiedMaps(exported: ServiceExportObject): { maps: Pick<ExportFacts, 'labels' | 'annotations'>; warnings: readonly string[] } {
  const { exportedLabels = {}, exportedAnnotations = {} } = exported.spec ?? {};
  const place = `ServiceExport ${namespaceOf(exported)}/${exported.metadata.name}`;
  const size = JSON.stringify([exportedLabels, exportedAnnotations]).length;
  if (size > MOST_COPIED)
    return {
      maps: {},
      warnings: [`${place}: exported labels and annotations are larger than ${MOST_COPIED} characters together; none is exported`],
    };
  const isLabel = ([key, value]: [string, string]): boolean => isLabelKey(key) && isLabelValue(value);
  const [labels, badLabels] = parted(exportedLabels, isLabel);
  const [annotations, badAnnotations] = parted(exportedAnnotations, ([key]) => isLabelKey(key));
  const bad = [...badLabels.map((key) => `exportedLabels[${key}]`), ...badAnnotations.map((key) => `exportedAnnotations[${key}]`)];
  return {
    maps: { ...some('labels', labels), ...some('annotations', annotations) },
    warnings: bad.map(
      (field) =>
        `${place}: spec.${field}: is no ${field.startsWith('exportedL') ? 'label' : 'annotation'} of Kubernetes; it is not exported`,
    ),
  };
}

type Entries = readonly [string, string][];

function parted(map: Readonly<Record<string, string>>, isGood: (entry: [string, string]) => boolean): [Entries, readonly string[]] {
  const entries = Object.entries(map);
  return [entries.filter(isGood), entries.filter((entry) => !isGood(entry)).map(([key]) => key)];
}

function some<Key extends string>(key: Key, entries: Entries): Partial<Record<Key, Record<string, string>>> {
  return entries.length === 0 ? {} : ({ [key]: Object.fromEntries(entries) } as Record<Key, Record<string, string>>);
}
