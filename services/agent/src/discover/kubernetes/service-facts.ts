/** A Service of an API server, and a ServiceExport, as the registry has them. Pure. */
import Type, { type Static } from 'typebox';
import type { ServiceExportObject, ServiceObject } from '../registry-kinds.ts';
import { mapOf, nullable, ObjectMeta, objectReader } from './object-facts.ts';

const StringMap = Type.Record(Type.String(), Type.String());

const RawService = Type.Object({
  metadata: ObjectMeta,
  spec: Type.Object({
    type: Type.Optional(Type.String()),
    clusterIP: Type.Optional(Type.String()),
    selector: nullable(StringMap),
    ipFamilies: nullable(Type.Array(Type.String())),
    sessionAffinity: Type.Optional(Type.String()),
    sessionAffinityConfig: nullable(Type.Object({ clientIP: nullable(Type.Object({ timeoutSeconds: nullable(Type.Integer()) })) })),
    internalTrafficPolicy: nullable(Type.String()),
    trafficDistribution: nullable(Type.String()),
    ports: nullable(
      Type.Array(
        Type.Object({
          name: Type.Optional(Type.String()),
          port: Type.Integer(),
          protocol: Type.Optional(Type.String()),
          appProtocol: nullable(Type.String()),
          targetPort: Type.Optional(Type.Union([Type.Integer(), Type.String()])),
        }),
      ),
    ),
  }),
});
type RawSpec = Static<typeof RawService>['spec'];
type RawPort = NonNullable<RawSpec['ports']>[number];
type Spec = ServiceObject['spec'];

/** Annotations of others say nothing to the agent. */
const OWN_ANNOTATION = 'hawser.dev/';

/** Reads Services (v1). Who serves is what the EndpointSlices say; the selector is for machines that join by a WorkloadGroup. */
export const readService = objectReader('Service', RawService, ({ metadata, spec }): ServiceObject => {
  const { name, namespace = 'default' } = metadata;
  const annotations = Object.fromEntries(Object.entries(mapOf(metadata.annotations)).filter(([key]) => key.startsWith(OWN_ANNOTATION)));
  return {
    ...{ apiVersion: 'v1', kind: 'Service' },
    metadata: { name, namespace, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
    spec: {
      ...(spec.type === undefined ? {} : { type: spec.type as NonNullable<Spec['type']> }),
      ...(spec.clusterIP === undefined || spec.clusterIP === '' ? {} : { clusterIP: spec.clusterIP }),
      ...(spec.selector ? { selector: { ...spec.selector } } : {}),
      ports: (spec.ports ?? []).map(portOf),
      ...importedAs(spec),
    },
  };
});

/** What only imports tell of; what an API server writes where nobody said anything is left out. */
function importedAs({
  ipFamilies,
  sessionAffinity,
  sessionAffinityConfig,
  internalTrafficPolicy,
  trafficDistribution,
}: RawSpec): Partial<Spec> {
  const { timeoutSeconds } = sessionAffinityConfig?.clientIP ?? {};
  const isKept = sessionAffinity === 'ClientIP';
  return {
    ...(ipFamilies ? { ipFamilies: familiesOf(ipFamilies) } : {}),
    ...(isKept ? { sessionAffinity } : {}),
    ...(isKept && timeoutSeconds ? { sessionAffinityConfig: { clientIP: { timeoutSeconds } } } : {}),
    ...(internalTrafficPolicy === 'Local' ? { internalTrafficPolicy } : {}),
    ...(trafficDistribution ? { trafficDistribution } : {}),
  };
}

type Families = NonNullable<Spec['ipFamilies']>;

/** The same few lists for thousands of Services. */
const FAMILIES: readonly Families[] = [['IPv4'], ['IPv6'], ['IPv4', 'IPv6'], ['IPv6', 'IPv4']];

function familiesOf(said: readonly string[]): Families {
  const families = said.filter((family) => family === 'IPv4' || family === 'IPv6');
  return FAMILIES.find((known) => known.join() === families.join()) ?? families;
}

/** An unnamed target port is 0 or empty where Go wrote its zero value; TCP is what a port is unless it says otherwise. */
function portOf({ name, port, protocol, appProtocol, targetPort }: RawPort): NonNullable<Spec['ports']>[number] {
  return {
    ...(name === undefined || name === '' ? {} : { name }),
    port,
    ...(targetPort ? { targetPort } : {}),
    ...(protocol === 'UDP' || protocol === 'SCTP' ? { protocol } : {}),
    ...(appProtocol ? { appProtocol } : {}),
  };
}

const RawExport = Type.Object({
  metadata: ObjectMeta,
  spec: nullable(Type.Object({ exportedLabels: nullable(StringMap), exportedAnnotations: nullable(StringMap) })),
});

/**
 * Reads ServiceExports (multicluster.x-k8s.io) of either version. The oldest decides conflicts, so its birth is kept. One that is being
 * deleted is withdrawn: nobody can take that back, though somebody's finalizer may hold the object for long.
 */
export const readServiceExport = objectReader('ServiceExport', RawExport, ({ metadata, spec }): ServiceExportObject | undefined => {
  const { name, namespace = 'default', creationTimestamp, deletionTimestamp } = metadata;
  if (deletionTimestamp) return undefined;
  const copied = {
    ...(spec?.exportedLabels ? { exportedLabels: { ...spec.exportedLabels } } : {}),
    ...(spec?.exportedAnnotations ? { exportedAnnotations: { ...spec.exportedAnnotations } } : {}),
  };
  return {
    ...{ apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport' },
    metadata: { name, namespace, ...(creationTimestamp === undefined ? {} : { creationTimestamp }) },
    ...(Object.keys(copied).length === 0 ? {} : { spec: copied }),
  };
});
