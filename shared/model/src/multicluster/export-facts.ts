/** What one cluster offers of a service beside its endpoints: everything that the MCS API merges over clusters (KEP-1645). */
import Type, { type Static } from 'typebox';
import { oneOf } from '../one-of.ts';

/** A port as the Service has it. The mesh carries TCP alone; ports of other protocols are facts all the same. */
export const ExportedPort = Type.Object({
  name: Type.Optional(Type.String()),
  protocol: oneOf(['TCP', 'UDP', 'SCTP'], 'Transport protocol.'),
  appProtocol: Type.Optional(Type.String()),
  port: Type.Integer({ minimum: 1, maximum: 65_535 }),
});
export type ExportedPort = Static<typeof ExportedPort>;

const Copied = Type.Optional(Type.Record(Type.String(), Type.String()));

/** A part of an endpoint shard. What is absent is as Kubernetes has it where nobody says otherwise. */
export const ExportFacts = Type.Object({
  /** Of the ServiceExport, RFC 3339; absent where nobody wrote it down, as in most registry files. */
  createdAt: Type.Optional(Type.String()),
  /** Headless where the Service has `clusterIP: None`. */
  type: oneOf(['ClusterSetIP', 'Headless'], 'How the service is imported.'),
  ports: Type.Array(ExportedPort),
  ipFamilies: Type.Optional(Type.Array(oneOf(['IPv4', 'IPv6'], 'A family.'), { maxItems: 2 })),
  /** Absent: None. */
  sessionAffinity: Type.Optional(Type.Literal('ClientIP')),
  sessionAffinityConfig: Type.Optional(
    Type.Object({ clientIP: Type.Optional(Type.Object({ timeoutSeconds: Type.Optional(Type.Integer()) })) }),
  ),
  /** Absent: Cluster. */
  internalTrafficPolicy: Type.Optional(Type.Literal('Local')),
  trafficDistribution: Type.Optional(Type.String()),
  /** Of `spec.exportedLabels` and `spec.exportedAnnotations` alone, never of metadata. */
  labels: Copied,
  annotations: Copied,
});
export type ExportFacts = Static<typeof ExportFacts>;

/** The facts of a shard that says none, as those of earlier releases: a ClusterSetIP with the shard's ports, of unknown age. */
export function impliedFacts(ports: readonly { readonly name?: string | undefined; readonly port: number }[]): ExportFacts {
  return {
    type: 'ClusterSetIP',
    ports: ports.map(({ name, port }) => ({ ...(name === undefined ? {} : { name }), protocol: 'TCP', port })),
  };
}
