/** Where the ADS server gets a proxy's own certificate from. */
import type { XdsResource } from '../snapshot/resource.ts';

/** A workload identity, as a token proves it. */
export interface WorkloadIdentity {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** A certificate in use by a stream; `current` changes when it is renewed. */
export interface HeldIdentity {
  /** The SDS resource `identity`. */
  readonly current: XdsResource;
  /** The stream ended; a certificate that nobody holds is forgotten. */
  release(): void;
}

/** Issues and renews certificates for as long as somebody holds them. */
export interface IdentitySource {
  /** `onRenewed` is called after `current` changed. Rejects when no certificate can be issued. */
  hold(identity: WorkloadIdentity, onRenewed: () => void): Promise<HeldIdentity>;
}
