/**
 * The hub's serving authority: a small CA that signs the certificates of the hub's own doors and of the servers beside it,
 * and nothing else. Workloads never trust it; their roots are in their clusters (docs/decisions/0013-tls-on-every-door.md).
 */
import 'reflect-metadata';
import { createHash, createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { privateFolder, readIfThere, writeDurably } from '@hawser/runtime/durable-file.ts';
import type { ServerCertificate } from '@hawser/runtime/live-certificate.ts';
import * as x509 from '@peculiar/x509';

/** A certificate of the hub's doors lives this long and is renewed at half of it. */
export const SERVING_LIFE_MS = 30 * 24 * 3_600_000;

/** Issues certificates for servers. */
export interface ServingAuthority {
  /** Its certificate, PEM. */
  readonly caPem: string;
  /** `caPin(caPem)`: what join tokens carry. */
  readonly pin: string;
  /** A fresh key and a certificate for these host names and IP addresses, followed by the authority's own; `lifeMs` is `SERVING_LIFE_MS` unless given. */
  issue(names: readonly string[], lifeMs?: number): Promise<ServerCertificate>;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const BACKDATE_MS = 5 * 60_000;
/** Ten years, as the clusters' roots: nothing rotates it by itself, and every member pins its key. */
const ROOT_LIFE_MS = 10 * 365 * 24 * 3_600_000;
const SUBJECT = 'O=Hawser,CN=Hawser hub serving authority';

/** SHA-256 of the certificate's SubjectPublicKeyInfo, base64url (as RFC 7469 section 2.4 pins keys). */
export function caPin(pem: string): string {
  const spki = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('base64url');
}

/** Opens the authority in the hub's keys folder, or makes it there; throws `keys-unreadable` for a damaged one, which is never replaced. */
export async function openServingAuthority(keysDir: string): Promise<ServingAuthority> {
  const path = join(privateFolder(keysDir), 'serving-ca.pem');
  // Key and certificate in one file: there is no half of it, and of hubs that make it at once all end with the same.
  if ((await readIfThere(path)) === undefined) await createWhole(path, await newRoot());
  const text = (await readIfThere(path)) ?? '';
  try {
    return await authorityFrom(text);
  } catch (error) {
    throw new AppError(
      'keys-unreadable',
      `${path} is damaged (${messageOf(error)}): restore it from a backup; without it agents do not know this hub any more`,
    );
  }
}

/** Puts the authority's certificate where people and the command line find it: `STATE_DIR/ca.pem`. */
export async function publishCa(stateDir: string, caPem: string): Promise<void> {
  const path = join(stateDir, 'ca.pem');
  if ((await readIfThere(path)) !== caPem) await writeDurably(path, caPem, 0o644);
}

async function authorityFrom(text: string): Promise<ServingAuthority> {
  const caPem = `${/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(text)?.[0] ?? ''}\n`;
  const key = createPrivateKey(text);
  const certificate = new X509Certificate(caPem);
  if (!certificate.ca || !certificate.checkPrivateKey(key)) throw new Error('certificate and key do not belong together');
  if (certificate.validToDate.getTime() < Date.now()) throw new Error(`it expired on ${certificate.validTo}`);
  const der = new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }));
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
  const root = new x509.X509Certificate(caPem);
  return {
    caPem,
    pin: caPin(caPem),
    issue: async (names, lifeMs = SERVING_LIFE_MS) => {
      const { cert, key: leafKey } = await issueLeaf({ root, signingKey, names, lifeMs });
      return { cert: `${cert}${caPem}`, key: leafKey };
    },
  };
}

async function newRoot(): Promise<string> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.create(
    {
      ...{ serialNumber: serial(), subject: SUBJECT, issuer: SUBJECT },
      ...{ notBefore: new Date(now - BACKDATE_MS), notAfter: new Date(now + ROOT_LIFE_MS) },
      ...{ publicKey: keys.publicKey, signingKey: keys.privateKey, signingAlgorithm: ALGORITHM },
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        // Serving alone: what it signs is good for a TLS server and proves no workload.
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return `${key}\n${certificate.toString('pem')}\n`;
}

interface LeafRequest {
  readonly root: x509.X509Certificate;
  readonly signingKey: webcrypto.CryptoKey;
  readonly names: readonly string[];
  readonly lifeMs: number;
}

async function issueLeaf({ root, signingKey, names, lifeMs }: LeafRequest): Promise<ServerCertificate> {
  if (names.length === 0) throw new AppError('tls-names', 'a server certificate needs a name: give --public-url or an address');
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.create(
    {
      ...{ serialNumber: serial(), issuer: root.subjectName },
      ...{ notBefore: new Date(now - BACKDATE_MS), notAfter: new Date(Math.min(now + lifeMs, root.notAfter.getTime())) },
      ...{ publicKey: keys.publicKey, signingKey, signingAlgorithm: ALGORITHM },
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        // Critical, because the subject is empty (RFC 5280 4.2.1.6).
        new x509.SubjectAlternativeNameExtension(
          [...new Set(names)].map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }) as const),
          true,
        ),
        await x509.AuthorityKeyIdentifierExtension.create(root, false, webcrypto),
      ],
    },
    webcrypto,
  );
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { cert: `${certificate.toString('pem')}\n`, key: `${key}\n` };
}

/** Written aside, synced, linked to its name: whole or not at all, and who comes second leaves the first one's. */
async function createWhole(path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
    await link(temporary, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await file.close();
    await rm(temporary, { force: true });
  }
}

/** A positive random serial number of 127 bits (RFC 5280 4.1.2.2). */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
