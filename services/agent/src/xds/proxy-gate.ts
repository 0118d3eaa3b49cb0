/** Who may speak to the ADS server: the contract between it and what composes it. */
import type { WorkloadReadiness } from '../discover/workload-readiness.ts';
import type { ProxyRole } from '../state/world.ts';

/** What a proxy's token proves. */
export interface ProxyIdentity {
  readonly cluster: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Set when the token is bound to one proxy. */
  readonly name?: string;
  /** Whether the proxy may be an edge proxy: those are given the certificates of their namespace. */
  readonly edge?: boolean;
  /** Whether the proxy may take the calls of workloads without a sidecar, on its own address and in its own name (decision 0040). */
  readonly outboundGateway?: true;
  /** When the token expires, in ms since 1970. */
  readonly expiresAt?: number;
}

/** Why a token proves nothing, or why that could not be found out, where there is more to say than that it does not. */
export class TokenRefusal extends Error {
  readonly reason: 'unauthenticated' | 'unavailable';

  constructor(reason: TokenRefusal['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** A proxy with a stream, its claims checked against its token. */
export interface ConnectedProxy {
  readonly name: string;
  readonly role: ProxyRole;
  readonly address: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** `node.metadata.labels`: what it says of itself, not proven. */
  readonly labels: Readonly<Record<string, string>>;
  /** What it runs, such as `1.37.0` of Envoy or `gRPC Java 1.72.0`: what it says of itself, not proven. */
  readonly version?: string;
  /** `node.metadata.capture`: what of its workload's traffic the kernel leads to it. */
  readonly capture?: 'ipv4' | 'dual';
  /** `node.metadata.onDemand`: it fetches upstreams by itself that it was not sent. */
  readonly fetchesUpstreams?: true;
  /** `node.metadata.outboundAddress`: the loopback address where its workload calls it. */
  readonly outboundAddress?: string;
  /** `node.metadata.outboundGateway`: workloads without a sidecar call it, at its own address. */
  readonly outboundGateway?: true;
}

/** Asked by the ADS server for each stream. */
export interface ProxyGate {
  /** Undefined for a token that proves nothing: wrong, foreign or expired; or throws `TokenRefusal`, which says more. */
  authenticate(token: string): Promise<ProxyIdentity | undefined>;
  /** Called before the first answer of each stream, so that the layer `ROLE:ADDRESS` exists when it is read. */
  attach(proxy: ConnectedProxy): void;
  /** Called when the last stream of a role and address ended; an earlier proxy of another name at that address is not named again. */
  detach(proxy: ConnectedProxy): void;
  /** What machines of WorkloadGroups say of themselves; without it nobody is asked. */
  readonly readiness?: WorkloadReadiness;
  /** Whether the agent's state is complete; until then no stream is answered. */
  readonly ready: boolean;
  /** Calls back once when it becomes ready; at once when it is. */
  onReady(callback: () => void): void;
}
