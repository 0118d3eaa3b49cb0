/** A Service of an API server, and a ServiceExport, as the registry has them. Pure. */
import Type, { type Static } from 'typebox';
import type { ServiceExportObject, ServiceObject } from '../registry-kinds.ts';
import { mapOf, nullable, ObjectMeta, objectReader } from './object-facts.ts';

/** What is used of a Service. */
export interface ServiceFacts {
  readonly object: ServiceObject;
  /** Ports that the mesh cannot carry, as `NUMBER/PROTOCOL`. */
  readonly uncarried: readonly string[];
}

const RawService = Type.Object({
  metadata: ObjectMeta,
  spec: Type.Object({
    type: Type.Optional(Type.String()),
    clusterIP: Type.Optional(Type.String()),
    selector: nullable(Type.Record(Type.String(), Type.String())),
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
type RawService = Static<typeof RawService>;
type RawPort = NonNullable<RawService['spec']['ports']>[number];

/** Annotations of others say nothing to the agent. */
const OWN_ANNOTATION = 'hawser.dev/';

/** Reads Services (v1). Who serves is what the EndpointSlices say; the selector is for machines that join by a WorkloadGroup. */
export const readService = objectReader('Service', RawService, serviceFacts);

function serviceFacts({ metadata, spec }: RawService): ServiceFacts {
  const { name, namespace = 'default' } = metadata;
  const annotations = Object.fromEntries(Object.entries(mapOf(metadata.annotations)).filter(([key]) => key.startsWith(OWN_ANNOTATION)));
  const [carried, others] = [(spec.ports ?? []).filter(isTcp), (spec.ports ?? []).filter((port) => !isTcp(port))];
  const object: ServiceObject = {
    ...{ apiVersion: 'v1', kind: 'Service' },
    metadata: { name, namespace, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
    spec: {
      ...(spec.type === undefined ? {} : { type: spec.type as NonNullable<ServiceObject['spec']['type']> }),
      ...(spec.clusterIP === undefined || spec.clusterIP === '' ? {} : { clusterIP: spec.clusterIP }),
      ...(spec.selector ? { selector: { ...spec.selector } } : {}),
      ports: carried.map(portOf),
    },
  };
  return { object, uncarried: others.map(({ port, protocol }) => `${port}/${protocol}`) };
}

function isTcp({ protocol }: RawPort): boolean {
  return protocol === undefined || protocol === 'TCP';
}

/** An unnamed target port is 0 or empty where Go wrote its zero value. */
function portOf({ name, port, appProtocol, targetPort }: RawPort): NonNullable<ServiceObject['spec']['ports']>[number] {
  return {
    ...(name === undefined || name === '' ? {} : { name }),
    port,
    ...(targetPort ? { targetPort } : {}),
    ...(appProtocol ? { appProtocol } : {}),
  };
}

const RawExport = Type.Object({ metadata: ObjectMeta });

/** Reads ServiceExports (multicluster.x-k8s.io) of either version. The oldest decides conflicts, so its birth is kept. */
export const readServiceExport = objectReader('ServiceExport', RawExport, ({ metadata }): ServiceExportObject => {
  const { name, namespace = 'default', creationTimestamp } = metadata;
  return {
    ...{ apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport' },
    metadata: { name, namespace, ...(creationTimestamp === undefined ? {} : { creationTimestamp }) },
  };
});
