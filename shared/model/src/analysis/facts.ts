/** What is known around the resources under analysis. What is not given is unknown, and nothing is concluded from it. */

/** A service as one cluster publishes it. */
export interface KnownShard {
  readonly cluster: string;
  readonly ports: readonly { readonly name?: string | undefined; readonly port: number; readonly protocol: string }[];
  readonly endpoints: number;
  /** The label sets that its endpoints have, each once; undefined when not all of them are known. */
  readonly labels?: readonly Readonly<Record<string, string>>[] | undefined;
}

/** A service of the fleet. */
export interface KnownService {
  readonly namespace: string;
  readonly service: string;
  readonly shards: readonly KnownShard[];
}

/** A member of the fleet. */
export interface KnownCluster {
  readonly name: string;
  readonly region: string;
  /** Those that `hawser.dev/clusters` sees. */
  readonly labels: Readonly<Record<string, string>>;
}

/** An edge proxy, which Gateways select. */
export interface KnownEdge {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Services by `NAMESPACE/SERVICE`; a `Map` is one. */
export interface KnownServices {
  has(key: string): boolean;
  get(key: string): KnownService | undefined;
  keys(): Iterable<string>;
}

/** A policy that a cluster has in its own API server, where that is to be in force. */
export interface OwnPolicy {
  readonly cluster: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Whether it is, or the hub has its own of this name. */
  readonly inForce: boolean;
}

/** The surroundings. */
export interface Facts {
  /** Every service that a cluster exports. */
  readonly services?: readonly KnownService[] | KnownServices | undefined;
  readonly clusters?: readonly KnownCluster[] | undefined;
  readonly edges?: readonly KnownEdge[] | undefined;
  readonly ownPolicies?: readonly OwnPolicy[] | undefined;
  /** Of the clusters, each once, and of what is federated with outside of them. */
  readonly trustDomains?: readonly string[] | undefined;
}
