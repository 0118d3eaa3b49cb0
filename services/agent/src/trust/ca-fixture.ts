/** Certificates of authorities as users bring them, proper and not, for tests. */
import 'reflect-metadata';
import { KeyUsageFlags } from '@peculiar/x509';
import {
  type AnyAlgorithm,
  type Forgery,
  forgeIssuer,
  forgeRoot,
  type Issuer,
  keyPem,
  rsa,
  uri,
  uriHosts,
} from '../../../../test/kit/forge.ts';

/** A CA, with what made it. */
export interface TestCa {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly issuer: Issuer;
}

/** What differs from a proper P-256 root that is valid now. */
export interface TestCaOptions {
  readonly issuer?: TestCa;
  readonly algorithm?: TestAlgorithm;
  readonly ca?: boolean;
  readonly usage?: KeyUsageFlags | undefined;
  readonly pathLength?: number;
  readonly uris?: readonly string[];
  readonly permitted?: readonly string[];
  readonly excluded?: readonly string[];
  readonly extended?: readonly string[];
  /** Milliseconds from now. */
  readonly from?: number;
  readonly until?: number;
  /** Of another CA: the same key again. */
  readonly keyOf?: TestCa;
}

/** Kinds of keys and signatures. */
export type TestAlgorithm = keyof typeof ALGORITHMS;

const ALGORITHMS = {
  'P-256': ecdsa('P-256', 'SHA-256'),
  'P-384': ecdsa('P-384', 'SHA-384'),
  'P-521': ecdsa('P-521', 'SHA-256'),
  'RSA-2048': rsa(2048),
  'RSA-1024': rsa(1024),
  'RSA-2048-SHA-1': rsa(2048, 'SHA-1'),
} as const satisfies Record<string, AnyAlgorithm>;
const HOUR_MS = 3_600_000;
const MONTH_MS = 30 * 24 * HOUR_MS;
let made = 0;

/** Makes one. */
export async function testCa(options: TestCaOptions = {}): Promise<TestCa> {
  made += 1;
  const commonName = `Test CA ${made}`;
  const forgery = { commonName, ...forgeryOf(options) };
  const issuer = await (options.issuer === undefined ? forgeRoot(commonName, forgery) : forgeIssuer(options.issuer.issuer, forgery));
  return { certificate: `${issuer.certificate.toString('pem')}\n`, key: await keyPem(issuer.keys), issuer };
}

function forgeryOf(options: TestCaOptions): Forgery {
  const { algorithm = 'P-256', uris = [], permitted, excluded, ca = true, pathLength } = options;
  const { usage = null } = 'usage' in options ? options : { usage: KeyUsageFlags.keyCertSign };
  return {
    ...{ algorithm: ALGORITHMS[algorithm], keys: options.keyOf?.issuer.keys, ca, pathLength, keyUsage: usage },
    ...{ names: uris.map(uri), extendedKeyUsage: options.extended ?? null },
    ...{ from: (options.from ?? -60_000) / HOUR_MS, until: (options.until ?? MONTH_MS) / HOUR_MS },
    extra: permitted === undefined && excluded === undefined ? [] : [uriHosts({ permitted, excluded })],
  };
}

function ecdsa(namedCurve: string, hash: string): AnyAlgorithm {
  return { name: 'ECDSA', namedCurve, hash };
}
