/** Where the ADS server gets a proxy's own certificate from. */
import type { XdsResource } from '../snapshot/resource.ts';

/** A workload identity, as a token proves it. */
export interface WorkloadIdentity {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Who asks for it: a proxy that proved to be of that identity. */
export interface IdentityHolder extends WorkloadIdentity {
  readonly name: string;
}

/** A certificate in use by a stream; `current` changes when it is renewed. */
export interface HeldIdentity {
  /** The SDS resource `identity`. */
  readonly current: XdsResource;
  /** The proxy has taken up the certificate of this resource version. */
  acknowledged(version: string): void;
  /** The stream ended; a certificate that nobody holds is forgotten. */
  release(): void;
}

/** Issues and renews certificates for as long as somebody holds them. */
export interface IdentitySource {
  /** `onRenewed` is called after `current` changed. Rejects when no certificate can be issued. */
  hold(holder: IdentityHolder, onRenewed: () => void): Promise<HeldIdentity>;
}
