/** The part of node-forge that is used: reading PKCS#12 containers. Its verification has had holes, and is not declared on purpose. */
declare module 'node-forge' {
  /** A parsed element; opaque. */
  export interface Asn1 {
    readonly tagClass: number;
  }
  /** One key or certificate in a container; `asn1` where the library does not know its kind. */
  export interface Bag {
    readonly key?: object | null;
    readonly cert?: object | null;
    readonly asn1?: Asn1;
  }
  /** An opened container. */
  export interface Pkcs12 {
    getBags(filter: { bagType: string }): Readonly<Record<string, readonly Bag[] | undefined>>;
  }
  const forge: {
    readonly asn1: {
      fromDer(bytes: string): Asn1;
      toDer(value: Asn1): { getBytes(): string };
    };
    readonly pkcs12: { pkcs12FromAsn1(value: Asn1, strict: boolean, password: string): Pkcs12 };
    readonly pki: {
      readonly oids: Readonly<Record<string, string>>;
      certificateToAsn1(certificate: object): Asn1;
      privateKeyToAsn1(key: object): Asn1;
    };
  };
  // biome-ignore lint/style/noDefaultExport: it is how the package exports
  export default forge;
}
