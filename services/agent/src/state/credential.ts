/** Certificates that an edge proxy may present or check by: a Secret of the registry, as far as Envoy can take it. */

/** A certificate and its key, PEM; the key is the leaf's. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** One Secret: the newest good state of it. It is a secret: never logged, shown or published. */
export interface Credential {
  readonly namespace: string;
  readonly name: string;
  readonly keyPair?: KeyPair;
  /** Certificates of authorities, PEM. */
  readonly authorities?: string;
  /** Certificate revocation lists, PEM. */
  readonly revoked?: string;
  /** Why this is not what the registry holds now, or why there is nothing in it. */
  readonly problem?: string;
}

/** Credentials by `NAMESPACE/NAME`. */
export type Credentials = ReadonlyMap<string, Credential>;
