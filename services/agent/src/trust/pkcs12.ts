/** The one door to node-forge: takes a PKCS#12 container (RFC 7292) apart. What is in it is read and checked by node:crypto. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import forge, { type Bag } from 'node-forge';

/** What was in it, all PEM. */
export interface Pkcs12Content {
  readonly certificates: readonly string[];
  readonly keys: readonly string[];
}

/** Opens the container; throws `import-refused` for a wrong password and for what is no such container. */
export function openPkcs12(bytes: Buffer, password: string, name: string): Pkcs12Content {
  try {
    const container = forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(bytes.toString('latin1')), false, password);
    const bags = (kind: string): readonly Bag[] => {
      const bagType = forge.pki.oids[kind] ?? '';
      return container.getBags({ bagType })[bagType] ?? [];
    };
    return {
      certificates: bags('certBag').map(certificateOf),
      keys: [...bags('pkcs8ShroudedKeyBag'), ...bags('keyBag')].map(keyOf),
    };
  } catch (error) {
    const text = messageOf(error);
    const reason = /MAC could not be verified|Invalid password/i.test(text)
      ? `the password does not open ${name}: give the right one with --password-file`
      : `${name} is no PKCS#12 container that can be read (${text}): it may be cut off; export it again, for example with "openssl pkcs12 -export"`;
    throw new AppError('import-refused', reason, { cause: error });
  }
}

/** An RSA key is parsed by the library, and written out again; another one is given as it is, PKCS#8. */
function keyOf({ key, asn1 }: Bag): string {
  const isRsa = key !== null && key !== undefined;
  const value = isRsa ? forge.pki.privateKeyToAsn1(key) : asn1;
  if (value === undefined) throw new Error('a key in it cannot be read');
  const read = createPrivateKey({ key: derOf(value), format: 'der', type: isRsa ? 'pkcs1' : 'pkcs8' });
  return read.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function certificateOf({ cert, asn1 }: Bag): string {
  const value = cert !== null && cert !== undefined ? forge.pki.certificateToAsn1(cert) : asn1;
  if (value === undefined) throw new Error('a certificate in it cannot be read');
  return new X509Certificate(derOf(value)).toString();
}

function derOf(value: Parameters<typeof forge.asn1.toDer>[0]): Buffer {
  return Buffer.from(forge.asn1.toDer(value).getBytes(), 'latin1');
}
