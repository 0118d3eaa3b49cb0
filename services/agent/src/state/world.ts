/** What the translator sees: immutable values, replaced and never changed. Pure; no clock, no I/O. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { ExternalTrustDomain } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { Credentials } from './credential.ts';
import type { LapsedTrust } from './lapsed-trust.ts';

/** A member of the federation as this agent knows it. */
export interface PeerCluster {
  readonly name: string;
  readonly region: string;
  readonly zone: string;
  /** Clusters of one network reach each other's endpoints directly. */
  readonly network: string;
  readonly trustDomain: string;
  /** Trust domains that its own one believes; absent: all. */
  readonly federatesWith?: readonly string[];
  /** Whether other clusters leave its endpoints alone. */
  readonly draining?: boolean;
  /** Names by which policies may mean its trust domain too. */
  readonly aliases?: readonly string[];
  /** PEM certificates of its trust bundle; empty until its facts arrived. */
  readonly trustBundle: readonly string[];
  /** `IP:PORT` of its gateways, sorted; empty until its facts arrived. */
  readonly gateways: readonly string[];
  /** As in its facts. */
  readonly severed?: string;
  /** Whether its gateways speak for workloads without a sidecar: it had bare endpoints since this agent first heard of it. */
  readonly speaksForWorkloads?: true;
}

/**
 * What a proxy is for: a `sidecar` beside a workload, a `gateway` that carries tunnels between clusters, an `edge` that takes in
 * or lets out what its Istio Gateways say.
 */
export type ProxyRole = 'sidecar' | 'gateway' | 'edge';

/** A proxy that is connected, or was when the last good state was saved. */
export interface ProxyRef {
  readonly role: ProxyRole;
  readonly address: string;
  /** Unknown when an earlier release saved the state. */
  readonly name?: string;
  /** Proven by its token; unknown when an earlier release saved the state. */
  readonly namespace?: string;
  /** Proven by its token as well. */
  readonly serviceAccount?: string;
  /** What it says of itself: they hold where the own registry knows no labels of its address. */
  readonly labels?: Readonly<Record<string, string>>;
  /** What of its workload's traffic is captured, by its own word; none unless given. */
  readonly capture?: Capture;
  /** Whether it fetches upstreams that it was not sent (decision 0017), by its own word. */
  readonly fetchesUpstreams?: true;
  /** Where its workload calls it, of loopback, where that is not as `callersAddress` has it: by its own word. */
  readonly outboundAddress?: string;
  /** Whether workloads without a sidecar call it, at its own address: its account may be asked so (decision 0040). */
  readonly outboundGateway?: true;
}

/** A workload whose traffic is led to its sidecar by the kernel: IPv4 alone, or IPv6 too. */
export type Capture = 'ipv4' | 'dual';

/** Everything that decides the configuration of a cluster's proxies. */
export interface World {
  /** Name of the own cluster; it is in `clusters` too. */
  readonly self: string;
  readonly clusters: ReadonlyMap<string, PeerCluster>;
  /** Service key (`NAMESPACE/SERVICE`) → cluster → shard. Own shards are all here, others' only if exported. */
  readonly shards: ReadonlyMap<string, ReadonlyMap<string, EndpointShard>>;
  /** Policy resources by `resourceKey(kind, namespace, name)`. */
  readonly policies: ReadonlyMap<string, Resource>;
  /** Certificates for edge proxies, of the own cluster alone. */
  readonly credentials?: Credentials;
  /** Host → the address that its ServiceImport has in this cluster: names have these whatever others come. */
  readonly heldAddresses?: ReadonlyMap<string, string>;
  /** Trust domains outside of the federation. */
  readonly external?: readonly ExternalTrustDomain[];
  /** Who was believed once and is not any more: who has a connection from before is refused what it asks for. */
  readonly lapsed?: LapsedTrust;
}
