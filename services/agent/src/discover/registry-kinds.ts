/**
 * The kinds an agent reads where there is no Kubernetes: the served part of each, as Kubernetes and Istio write them.
 * What Kubernetes itself fills in is accepted and ignored; any other field we do not implement is refused.
 */
import { ServiceExportSpec } from '@hawser/model/multicluster.ts';
import Type, { type Static, type TSchema } from 'typebox';

const strict = { additionalProperties: false } as const;
const StringMap = Type.Record(Type.String(), Type.String());
const DnsName = Type.String({ pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' });
const ObjectName = Type.String({ pattern: '^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$' });
const PortNumber = Type.Integer({ minimum: 1, maximum: 65535 });
const IpAddress = Type.String({ pattern: '^([0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$' });

/** Fields of ObjectMeta that an API server fills in: they say nothing about what is wanted. */
const FILLED_IN = {
  uid: Type.Optional(Type.Unknown()),
  resourceVersion: Type.Optional(Type.Unknown()),
  generation: Type.Optional(Type.Unknown()),
  creationTimestamp: Type.Optional(Type.Unknown()),
  managedFields: Type.Optional(Type.Unknown()),
  ownerReferences: Type.Optional(Type.Unknown()),
  finalizers: Type.Optional(Type.Unknown()),
  generateName: Type.Optional(Type.Unknown()),
};

function metadata(name: TSchema) {
  return Type.Object(
    {
      name: name as typeof ObjectName,
      namespace: Type.Optional(DnsName),
      labels: Type.Optional(StringMap),
      annotations: Type.Optional(StringMap),
      ...FILLED_IN,
    },
    strict,
  );
}

/** Transport of a port, TCP unless given. The mesh carries TCP alone; of an exported Service others are told all ports. */
const Transport = Type.Optional(Type.Union([Type.Literal('TCP'), Type.Literal('UDP'), Type.Literal('SCTP')]));

/** Service (v1). `type: ExternalName` is read, so that it can be refused by name. */
export const ServiceObject = Type.Object(
  {
    apiVersion: Type.Literal('v1'),
    kind: Type.Literal('Service'),
    metadata: metadata(DnsName),
    spec: Type.Object(
      {
        type: Type.Optional(
          Type.Union([Type.Literal('ClusterIP'), Type.Literal('NodePort'), Type.Literal('LoadBalancer'), Type.Literal('ExternalName')]),
        ),
        clusterIP: Type.Optional(Type.String()),
        clusterIPs: Type.Optional(Type.Array(Type.String())),
        ipFamilies: Type.Optional(Type.Array(Type.Union([Type.Literal('IPv4'), Type.Literal('IPv6')]), { maxItems: 2 })),
        ipFamilyPolicy: Type.Optional(Type.String()),
        sessionAffinity: Type.Optional(Type.Union([Type.Literal('ClientIP'), Type.Literal('None')])),
        sessionAffinityConfig: Type.Optional(
          Type.Object({ clientIP: Type.Optional(Type.Object({ timeoutSeconds: Type.Optional(Type.Integer()) }, strict)) }, strict),
        ),
        internalTrafficPolicy: Type.Optional(Type.Union([Type.Literal('Cluster'), Type.Literal('Local')])),
        trafficDistribution: Type.Optional(Type.String()),
        externalName: Type.Optional(Type.String()),
        selector: Type.Optional(StringMap),
        ports: Type.Optional(
          Type.Array(
            Type.Object(
              {
                name: Type.Optional(DnsName),
                port: PortNumber,
                targetPort: Type.Optional(Type.Union([PortNumber, DnsName])),
                protocol: Transport,
                appProtocol: Type.Optional(Type.String()),
                nodePort: Type.Optional(Type.Integer()),
              },
              strict,
            ),
          ),
        ),
      },
      strict,
    ),
    status: Type.Optional(Type.Unknown()),
  },
  strict,
);
export type ServiceObject = Static<typeof ServiceObject>;

/** Label by which an EndpointSlice names its Service. */
export const SLICE_SERVICE_LABEL = 'kubernetes.io/service-name';

const SLICE_ENDPOINT = {
  addresses: Type.Array(IpAddress, { minItems: 1 }),
  conditions: Type.Optional(
    Type.Object(
      {
        ready: Type.Optional(Type.Boolean()),
        serving: Type.Optional(Type.Boolean()),
        terminating: Type.Optional(Type.Boolean()),
      },
      strict,
    ),
  ),
  zone: Type.Optional(Type.String()),
  nodeName: Type.Optional(Type.String()),
  hostname: Type.Optional(Type.String()),
  targetRef: Type.Optional(Type.Unknown()),
};

function endpointSlice<Endpoint extends TSchema>(endpoint: Endpoint) {
  return Type.Object(
    {
      apiVersion: Type.Literal('discovery.k8s.io/v1'),
      kind: Type.Literal('EndpointSlice'),
      metadata: metadata(ObjectName),
      addressType: Type.Union([Type.Literal('IPv4'), Type.Literal('IPv6')]),
      endpoints: Type.Array(endpoint),
      ports: Type.Optional(
        Type.Array(
          Type.Object(
            { name: Type.Optional(Type.String()), port: PortNumber, protocol: Transport, appProtocol: Type.Optional(Type.String()) },
            strict,
          ),
        ),
      ),
    },
    strict,
  );
}

/** The Pod behind an endpoint, which an API server tells and a file cannot: who serves there, and that its readiness is the kubelet's. */
export const EndpointWorkload = Type.Object({ id: Type.String(), serviceAccount: Type.String(), labels: StringMap }, strict);
export type EndpointWorkload = Static<typeof EndpointWorkload>;

const FileEndpointSlice = endpointSlice(Type.Object(SLICE_ENDPOINT, strict));

/** EndpointSlice (discovery.k8s.io/v1). Addresses are the application's; its sidecar listens there at 15006. */
export const EndpointSliceObject = endpointSlice(Type.Object({ ...SLICE_ENDPOINT, workload: Type.Optional(EndpointWorkload) }, strict));
export type EndpointSliceObject = Static<typeof EndpointSliceObject>;

/** WorkloadEntry (networking.istio.io): one workload, chosen by the selectors of services. */
export const WorkloadEntryObject = Type.Object(
  {
    apiVersion: Type.Union([
      Type.Literal('networking.istio.io/v1'),
      Type.Literal('networking.istio.io/v1beta1'),
      Type.Literal('networking.istio.io/v1alpha3'),
    ]),
    kind: Type.Literal('WorkloadEntry'),
    metadata: metadata(ObjectName),
    spec: Type.Object(
      {
        address: IpAddress,
        ports: Type.Optional(Type.Record(Type.String(), PortNumber)),
        labels: Type.Optional(StringMap),
        serviceAccount: Type.Optional(DnsName),
        /** `REGION/ZONE/SUBZONE`; the region is the cluster's, the zone is published. */
        locality: Type.Optional(Type.String()),
        /** Where its address means it; the cluster's own unless given. */
        network: Type.Optional(Type.String()),
        /** Its part of the requests beside others of its cluster. */
        weight: Type.Optional(Type.Integer({ minimum: 0 })),
      },
      strict,
    ),
    status: Type.Optional(Type.Unknown()),
  },
  strict,
);
export type WorkloadEntryObject = Static<typeof WorkloadEntryObject>;

/** ServiceExport (multicluster.x-k8s.io): offers the service of the same name to the other clusters. */
export const ServiceExportObject = Type.Object(
  {
    apiVersion: Type.Union([Type.Literal('multicluster.x-k8s.io/v1alpha1'), Type.Literal('multicluster.x-k8s.io/v1beta1')]),
    kind: Type.Literal('ServiceExport'),
    metadata: metadata(DnsName),
    spec: Type.Optional(ServiceExportSpec),
    status: Type.Optional(Type.Unknown()),
  },
  strict,
);
export type ServiceExportObject = Static<typeof ServiceExportObject>;

/** Secret (v1): certificates for edge proxies, `kubernetes.io/tls` or of Istio's generic form. It never leaves the cluster. */
export const SecretObject = Type.Object(
  {
    apiVersion: Type.Literal('v1'),
    kind: Type.Literal('Secret'),
    metadata: metadata(ObjectName),
    type: Type.Optional(Type.String()),
    immutable: Type.Optional(Type.Boolean()),
    data: Type.Optional(StringMap),
    stringData: Type.Optional(StringMap),
  },
  strict,
);
export type SecretObject = Static<typeof SecretObject>;

/** Any object a registry may hold. */
export type RegistryObject = ServiceObject | EndpointSliceObject | WorkloadEntryObject | ServiceExportObject | SecretObject;

/** The schema of each kind, as files have them. */
export const REGISTRY_KINDS: ReadonlyMap<string, TSchema> = new Map<string, TSchema>([
  ['Service', ServiceObject],
  ['EndpointSlice', FileEndpointSlice],
  ['WorkloadEntry', WorkloadEntryObject],
  ['ServiceExport', ServiceExportObject],
  ['Secret', SecretObject],
]);

/** The schema of each kind, as any source has them. */
export const SOURCE_KINDS: ReadonlyMap<string, TSchema> = new Map([...REGISTRY_KINDS, ['EndpointSlice', EndpointSliceObject]]);

/** The namespace of an object; `default` when it names none, as in Kubernetes. */
export function namespaceOf(object: RegistryObject): string {
  return object.metadata.namespace ?? 'default';
}

/** `KIND/NAMESPACE/NAME`: what makes two objects the same one. */
export function objectKey(object: RegistryObject): string {
  return `${object.kind}/${namespaceOf(object)}/${object.metadata.name}`;
}
