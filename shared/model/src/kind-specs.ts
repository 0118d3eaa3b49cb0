/** Specs of the kinds the hub serves: each TypeBox schema is the type, the validation and the OpenAPI of its kind. */
import Type, { type Static } from 'typebox';

const Labels = Type.Record(Type.String(), Type.String());
/** RFC 1123 label, as Kubernetes names namespaces and clusters. */
export const DnsLabel = Type.String({ pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' });
/** A Go duration such as `90s` or `1m30s`. */
export const GoDuration = Type.String({ pattern: '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$' });

const strict = { additionalProperties: false } as const;

/** A member of the federation. Its name is its cluster id: RFC 1123, immutable. */
export const ClusterSpec = Type.Object(
  {
    region: DnsLabel,
    zone: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
    provider: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
    /** Clusters of one network reach each other's endpoints directly; others go through the gateway. Default: a network of its own. */
    network: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
  },
  strict,
);
export type ClusterSpec = Static<typeof ClusterSpec>;

/** A permission for one agent to enrol, once, within `ttl`. The secret is returned by create alone, in `status.token`. */
export const JoinTokenSpec = Type.Object(
  {
    cluster: DnsLabel,
    region: DnsLabel,
    zone: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
    provider: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
    network: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
    labels: Type.Optional(Labels),
    ttl: Type.Optional(GoDuration),
  },
  strict,
);
export type JoinTokenSpec = Static<typeof JoinTokenSpec>;

/** Where requests go when the nearer endpoints are not healthy. */
export const FailoverPolicySpec = Type.Object(
  {
    services: Type.Optional(Type.Array(DnsLabel, { minItems: 1, uniqueItems: true })),
    order: Type.Array(DnsLabel, { minItems: 1, uniqueItems: true }),
    spillover: Type.Optional(Type.Union([Type.Literal('gradual'), Type.Literal('strict')])),
  },
  strict,
);
export type FailoverPolicySpec = Static<typeof FailoverPolicySpec>;

/** Static region weights, parts of 100; regions not listed are failover only. */
export const TrafficShiftSpec = Type.Object(
  {
    services: Type.Array(DnsLabel, { minItems: 1, uniqueItems: true }),
    regions: Type.Record(Type.String({ pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' }), Type.Integer({ minimum: 0, maximum: 100 })),
  },
  strict,
);
export type TrafficShiftSpec = Static<typeof TrafficShiftSpec>;

const StringMatch = Type.Union([
  Type.Object({ exact: Type.String() }, strict),
  Type.Object({ prefix: Type.String() }, strict),
  Type.Object({ regex: Type.String() }, strict),
]);
export type StringMatch = Static<typeof StringMatch>;

const Destination = Type.Object(
  {
    host: Type.String({ minLength: 1 }),
    subset: Type.Optional(Type.String({ minLength: 1 })),
    port: Type.Optional(Type.Object({ number: Type.Integer({ minimum: 1, maximum: 65535 }) }, strict)),
  },
  strict,
);

const HttpRoute = Type.Object(
  {
    name: Type.Optional(Type.String()),
    match: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Type.Optional(Type.String()),
            uri: Type.Optional(StringMatch),
            method: Type.Optional(StringMatch),
            headers: Type.Optional(Type.Record(Type.String(), StringMatch)),
          },
          strict,
        ),
      ),
    ),
    route: Type.Array(
      Type.Object({ destination: Destination, weight: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })) }, strict),
      { minItems: 1 },
    ),
    timeout: Type.Optional(GoDuration),
    retries: Type.Optional(
      Type.Object(
        {
          attempts: Type.Integer({ minimum: 0, maximum: 10 }),
          perTryTimeout: Type.Optional(GoDuration),
          retryOn: Type.Optional(Type.String()),
        },
        strict,
      ),
    ),
  },
  strict,
);

/** The implemented part of Istio's VirtualService (networking.istio.io/v1). */
export const VirtualServiceSpec = Type.Object(
  { hosts: Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }), http: Type.Array(HttpRoute, { minItems: 1 }) },
  strict,
);
export type VirtualServiceSpec = Static<typeof VirtualServiceSpec>;
export type HttpRouteSpec = VirtualServiceSpec['http'][number];

/** The implemented part of Istio's DestinationRule (networking.istio.io/v1). */
export const DestinationRuleSpec = Type.Object(
  {
    host: Type.String({ minLength: 1 }),
    subsets: Type.Optional(Type.Array(Type.Object({ name: Type.String({ minLength: 1 }), labels: Type.Optional(Labels) }, strict))),
  },
  strict,
);
export type DestinationRuleSpec = Static<typeof DestinationRuleSpec>;

/** Seen from MCS: a service that at least one cluster exports. Read only; derived from what clusters publish. */
export const ServiceImportSpec = Type.Object(
  {
    type: Type.Union([Type.Literal('ClusterSetIP'), Type.Literal('Headless')]),
    ports: Type.Array(
      Type.Object(
        { name: Type.Optional(Type.String()), port: Type.Integer(), protocol: Type.String(), appProtocol: Type.Optional(Type.String()) },
        strict,
      ),
    ),
  },
  strict,
);
export type ServiceImportSpec = Static<typeof ServiceImportSpec>;
