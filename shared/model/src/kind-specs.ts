/** Specs of the kinds the hub serves: each TypeBox schema is the type, the validation and the OpenAPI of its kind. */
import Type, { type Static } from 'typebox';
import { DURATION_PATTERN, LABEL_PATTERN } from './patterns.ts';
import { MemberPolicies } from './policy-mode.ts';

/** RFC 1123 label, as Kubernetes names namespaces and clusters. */
export const DnsLabel = Type.String({ pattern: LABEL_PATTERN });
/** A service's name, or the host of a ServiceEntry. */
export const ServiceOrHost = Type.String({
  pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$',
  maxLength: 253,
});
/** A Go duration such as `90s` or `1m30s`. */
export const GoDuration = Type.String({ pattern: DURATION_PATTERN });

const strict = { additionalProperties: false } as const;

const label = (description: string) => Type.String({ pattern: LABEL_PATTERN, description });
const duration = (description: string) => Type.String({ pattern: DURATION_PATTERN, description });
const text = (description: string) => Type.String({ description });
const place = (description: string) => Type.String({ minLength: 1, maxLength: 63, description });
const labels = (description: string) => Type.Record(Type.String(), Type.String(), { description });

const ZONE = 'Zone within the region; nearer than the rest of the region when a cluster chooses where to send a request.';
const PROVIDER = 'Who runs the cluster, such as aws or on-premises. For people, and for selectors of the annotation hawser.dev/clusters.';
const NETWORK =
  'Clusters of one network reach the endpoints of each other directly; others go through the gateway. Default: a network of its own.';

/** A member of the federation. Its name is its cluster id: RFC 1123, immutable. */
export const ClusterSpec = Type.Object(
  {
    region: label('Region of the cluster, such as us-east: what failover orders and traffic shifts name.'),
    zone: Type.Optional(place(ZONE)),
    provider: Type.Optional(place(PROVIDER)),
    network: Type.Optional(place(NETWORK)),
    exports: Type.Optional(
      Type.Object(
        {
          namespaces: Type.Array(DnsLabel, {
            uniqueItems: true,
            description: 'Namespaces whose services the other clusters take from it; what it exports of others is ignored.',
          }),
        },
        { ...strict, description: 'What it may export. Default: services of every namespace.' },
      ),
    ),
    draining: Type.Optional(
      Type.Boolean({
        description: 'Whether the other clusters leave its endpoints alone, as before it is removed. Joining again ends it.',
      }),
    ),
    policies: Type.Optional(MemberPolicies),
  },
  { ...strict, description: 'A member of the federation. Its name is its cluster id and does not change.' },
);
export type ClusterSpec = Static<typeof ClusterSpec>;

/** A permission for one agent to enrol, once, within `ttl`. The secret is returned by create alone, in `status.token`. */
export const JoinTokenSpec = Type.Object(
  {
    cluster: label('Name that the cluster will have.'),
    region: label('Region that the cluster will be in.'),
    zone: Type.Optional(place(ZONE)),
    provider: Type.Optional(place(PROVIDER)),
    network: Type.Optional(place(NETWORK)),
    labels: Type.Optional(labels('Labels that the cluster will have, for selectors of the annotation hawser.dev/clusters.')),
    ttl: Type.Optional(duration('How long the token can be used, from its creation; at most 24h. Default: 10m.')),
  },
  { ...strict, description: 'A permission for one agent to join, once. Its secret is shown when it is made, and never again.' },
);
export type JoinTokenSpec = Static<typeof JoinTokenSpec>;

const ServicePort = Type.Object(
  {
    name: Type.Optional(text('Name of the port.')),
    port: Type.Integer({ description: 'Its number.' }),
    protocol: text('Transport protocol; the mesh carries TCP alone.'),
    appProtocol: Type.Optional(text('Protocol of the application, such as http or grpc.')),
  },
  strict,
);

/** Seen from MCS: a service that at least one cluster exports. Read only; derived from what clusters publish. */
export const ServiceImportSpec = Type.Object(
  {
    type: Type.Union([Type.Literal('ClusterSetIP'), Type.Literal('Headless')], {
      description: 'ClusterSetIP: one name for all endpoints; Headless: each by itself.',
    }),
    ports: Type.Array(ServicePort, { description: 'The union of the ports of all exports.' }),
  },
  { ...strict, description: 'A service that at least one cluster exports, as MCS has it. The hub derives it; it is not written.' },
);
export type ServiceImportSpec = Static<typeof ServiceImportSpec>;
