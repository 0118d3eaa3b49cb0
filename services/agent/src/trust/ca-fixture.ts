/** Certificates of authorities as users bring them, proper and not, for tests. */
import 'reflect-metadata';
import { generateKeyPairSync, type KeyObject, webcrypto } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import { GeneralName, GeneralSubtree, GeneralSubtrees, id_ce_nameConstraints, NameConstraints } from '@peculiar/asn1-x509';
import * as x509 from '@peculiar/x509';

/** A CA, with what made it. */
export interface TestCa {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly name: string;
  readonly pair: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  readonly algorithm: TestAlgorithm;
}

/** What differs from a proper P-256 root that is valid now. */
export interface TestCaOptions {
  readonly issuer?: TestCa;
  readonly algorithm?: TestAlgorithm;
  readonly ca?: boolean;
  readonly usage?: x509.KeyUsageFlags | undefined;
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
export type TestAlgorithm = 'P-256' | 'P-384' | 'P-521' | 'RSA-2048' | 'RSA-1024' | 'RSA-2048-SHA-1';

const DAY_MS = 24 * 3_600_000;
let made = 0;

/** Makes one. */
export async function testCa(options: TestCaOptions = {}): Promise<TestCa> {
  const algorithm = options.algorithm ?? 'P-256';
  made += 1;
  const name = `CN=Test CA ${made}`;
  const pair = options.keyOf?.pair ?? newPair(algorithm);
  const issuer = options.issuer ?? { name, pair, algorithm };
  const signing = webAlgorithm(issuer.algorithm);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      ...{ serialNumber: made.toString(16).padStart(4, '0'), subject: name, issuer: issuer.name },
      notBefore: new Date(Date.now() + (options.from ?? -60_000)),
      notAfter: new Date(Date.now() + (options.until ?? 30 * DAY_MS)),
      publicKey: await imported(pair.publicKey, { algorithm: webAlgorithm(algorithm), use: 'verify' }),
      signingKey: await imported(issuer.pair.privateKey, { algorithm: signing, use: 'sign' }),
      signingAlgorithm: signing,
      extensions: extensionsOf(options),
    },
    webcrypto,
  );
  const key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { certificate: `${certificate.toString('pem')}\n`, key, name, pair, algorithm };
}

function extensionsOf({
  ca = true,
  pathLength,
  uris = [],
  permitted = [],
  excluded = [],
  extended,
  ...more
}: TestCaOptions): x509.Extension[] {
  const usage = 'usage' in more ? more.usage : x509.KeyUsageFlags.keyCertSign;
  const subtrees = (hosts: readonly string[]): { subtrees?: GeneralSubtrees } =>
    hosts.length === 0
      ? {}
      : {
          subtrees: new GeneralSubtrees(
            hosts.map((host) => new GeneralSubtree({ base: new GeneralName({ uniformResourceIdentifier: host }) })),
          ),
        };
  const [allow, deny] = [subtrees(permitted).subtrees, subtrees(excluded).subtrees];
  const constraints = {
    ...(allow === undefined ? {} : { permittedSubtrees: allow }),
    ...(deny === undefined ? {} : { excludedSubtrees: deny }),
  };
  return [
    new x509.BasicConstraintsExtension(ca, pathLength, true),
    ...(usage === undefined ? [] : [new x509.KeyUsagesExtension(usage, true)]),
    ...(uris.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(uris.map((value) => ({ type: 'url' as const, value })))]),
    ...(extended === undefined ? [] : [new x509.ExtendedKeyUsageExtension([...extended])]),
    ...(allow === undefined && deny === undefined
      ? []
      : [new x509.Extension(id_ce_nameConstraints, true, AsnConvert.serialize(new NameConstraints(constraints)))]),
  ];
}

function newPair(algorithm: TestAlgorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  if (algorithm.startsWith('P-')) return generateKeyPairSync('ec', { namedCurve: algorithm });
  return generateKeyPairSync('rsa', { modulusLength: algorithm === 'RSA-1024' ? 1024 : 2048 });
}

type WebAlgorithm = { readonly name: string; readonly hash: string; readonly namedCurve?: string };

function webAlgorithm(algorithm: TestAlgorithm): WebAlgorithm {
  if (algorithm.startsWith('P-')) return { name: 'ECDSA', namedCurve: algorithm, hash: algorithm === 'P-384' ? 'SHA-384' : 'SHA-256' };
  return { name: 'RSASSA-PKCS1-v1_5', hash: algorithm === 'RSA-2048-SHA-1' ? 'SHA-1' : 'SHA-256' };
}

function imported(key: KeyObject, { algorithm, use }: { algorithm: WebAlgorithm; use: 'sign' | 'verify' }): Promise<webcrypto.CryptoKey> {
  const format = use === 'sign' ? 'pkcs8' : 'spki';
  const der = key.export({ type: format as 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey(format, new Uint8Array(der), algorithm as never, true, [use]);
}
