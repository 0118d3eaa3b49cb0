/** The MCS API (KEP-1645, multicluster.x-k8s.io/v1beta1 and v1alpha1) as clusters have it: specs and statuses of both kinds. */
import Type, { type Static } from 'typebox';
import { oneOf } from './one-of.ts';
import { LABEL_PATTERN } from './patterns.ts';

/** Its group, and the versions that clusters may have, the one that is preferred first. */
export const MULTICLUSTER = { group: 'multicluster.x-k8s.io', versions: ['v1beta1', 'v1alpha1'] } as const;

const strict = { additionalProperties: false } as const;
const copied = (what: string) =>
  Type.Optional(
    Type.Record(Type.String(), Type.String(), { description: `${what} that the import gets; those of metadata are not exported.` }),
  );

/** Of EndpointSlices and Services that stand for an import: the import's name. No cluster takes what has it for workloads of its own. */
export const IMPORT_NAME_LABEL = 'multicluster.kubernetes.io/service-name';
/** Of EndpointSlices of an import: the cluster that their endpoints are of. */
export const SOURCE_CLUSTER_LABEL = 'multicluster.kubernetes.io/source-cluster';

/** Offers the Service of its name and namespace to the other clusters. */
export const ServiceExportSpec = Type.Object(
  { exportedLabels: copied('Labels'), exportedAnnotations: copied('Annotations') },
  { ...strict, description: 'What is exported beside the Service itself.' },
);
export type ServiceExportSpec = Static<typeof ServiceExportSpec>;

const Port = Type.Object(
  {
    name: Type.Optional(Type.String({ description: 'Its name, a DNS label; there may be one port without.' })),
    protocol: Type.Optional(oneOf(['TCP', 'UDP', 'SCTP'], 'Transport protocol. Default: TCP.')),
    appProtocol: Type.Optional(Type.String({ description: 'Protocol of the application, such as http or kubernetes.io/h2c.' })),
    port: Type.Integer({ minimum: 1, maximum: 65_535, description: 'Its number.' }),
  },
  strict,
);

const AffinityConfig = Type.Object(
  {
    clientIP: Type.Optional(
      Type.Object(
        {
          timeoutSeconds: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 86_400, description: 'How long a client keeps its endpoint. Default: 10800.' }),
          ),
        },
        { ...strict, description: 'Affinity by the address of clients.' },
      ),
    ),
  },
  { ...strict, description: 'How the session affinity is.' },
);

/** A service that other clusters may call: derived from all exports of it. */
export const ImportSpec = Type.Object(
  {
    type: oneOf(['ClusterSetIP', 'Headless'], 'ClusterSetIP: one address for all endpoints; Headless: each by itself.'),
    ports: Type.Array(Port, { description: 'The union of the ports of all exports.' }),
    ips: Type.Optional(
      Type.Array(Type.String({ maxLength: 45 }), { maxItems: 2, description: 'Addresses of a ClusterSetIP, one for each family.' }),
    ),
    ipFamilies: Type.Optional(
      Type.Array(oneOf(['IPv4', 'IPv6'], 'A family.'), { maxItems: 2, description: 'Families of the addresses, in their order.' }),
    ),
    sessionAffinity: Type.Optional(oneOf(['ClientIP', 'None'], 'Whether clients keep an endpoint. Default: None.')),
    sessionAffinityConfig: Type.Optional(AffinityConfig),
    internalTrafficPolicy: Type.Optional(oneOf(['Cluster', 'Local'], 'Whether only endpoints of the own node are called.')),
    trafficDistribution: Type.Optional(Type.String({ description: 'Which endpoints are preferred, such as PreferClose.' })),
  },
  { ...strict, description: 'The service as all exports together make it. It is derived, and not written by users.' },
);
export type ImportSpec = Static<typeof ImportSpec>;

/** What an implementation says of an import, beside conditions. */
export const ImportStatus = Type.Object(
  {
    endpointSliceObjects: Type.Optional(oneOf(['Present', 'Absent'], 'Whether EndpointSlices of the import are in this cluster.')),
    clusters: Type.Optional(
      Type.Array(Type.Object({ cluster: Type.String({ pattern: LABEL_PATTERN, description: 'Its cluster id.' }) }, strict), {
        description: 'Clusters that export it.',
      }),
    ),
  },
  { ...strict, description: 'What became of it.' },
);
export type ImportStatus = Static<typeof ImportStatus>;
