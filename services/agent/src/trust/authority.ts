/**
 * The certificate authority of one cluster: a self-signed root in the agent, the cluster's own trust domain, and short-lived
 * X.509-SVIDs for its workloads (SPIFFE X509-SVID; RELIABILITY.md 5.1). The key never leaves the agent's folder.
 */
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { agentSpiffeId, spiffeId } from '@hawser/model/fleet.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { readIfThere } from '@hawser/runtime/durable-file.ts';
import * as x509 from '@peculiar/x509';
import type { WorkloadIdentity } from '../xds/identity-source.ts';
import { createExclusively } from './exclusive-file.ts';

/** Issuing back-dates by this much, so that clocks may differ (RELIABILITY.md 6.2 case 39). */
const BACKDATE_MS = 5 * 60_000;
/** A leaf outlives any control-plane outage that must be survived, and is renewed at half its life (R13). */
export const LEAF_LIFE_MS = 24 * 3_600_000;
/** Ten years: nothing rotates the root by itself yet, and a root that ends ends the cluster's traffic. */
const ROOT_LIFE_MS = 10 * 365 * 24 * 3_600_000;

const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** The ID of a trust domain and the parts of a workload's path, as SPIFFE-ID section 2 allows them. */
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const PATH_SEGMENT = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,253}$/;

/** A workload's certificate and key, as Envoy takes them. */
export interface IssuedCertificate {
  /** The leaf; the root is in the bundle and not repeated here. */
  readonly certificateChainPem: string;
  /** PKCS#8. */
  readonly privateKeyPem: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Issues the certificates of one trust domain. */
export interface Authority {
  readonly trustDomain: string;
  /** The trust bundle: PEM certificates, sorted. */
  readonly trustBundle: readonly string[];
  /** A fresh key and a certificate for it; `lifeMs` is `LEAF_LIFE_MS` unless given. Throws for names that no SPIFFE ID can hold. */
  issue(identity: WorkloadIdentity, lifeMs?: number): Promise<IssuedCertificate>;
  /** The same for the agent's own xDS door: `agentSpiffeId(trustDomain)`, which no workload can be given. */
  issueAgent(lifeMs?: number): Promise<IssuedCertificate>;
}

/**
 * Opens the authority in the cluster's identity folder (`ca.key`, `ca.pem`), or makes it; replicas that start at once agree on one. Throws `ca-unusable`, with the way out, when the
 * files do not belong together, are damaged or expired; a new root is never made over an old one.
 */
export async function openAuthority(agentDir: string, trustDomain: string): Promise<Authority> {
  if (!TRUST_DOMAIN.test(trustDomain)) throw new AppError('ca-unusable', `${JSON.stringify(trustDomain)} cannot be a trust domain`);
  const [keyPath, certificatePath] = [join(agentDir, 'ca.key'), join(agentDir, 'ca.pem')];
  const key = await readOrCreateKey(keyPath, certificatePath);
  const signingKey = await privateKeyFromPem(key, keyPath);
  if ((await readIfThere(certificatePath)) === undefined)
    await createExclusively(certificatePath, await selfSign(key, signingKey, trustDomain), 0o644);
  const pem = (await readIfThere(certificatePath)) ?? '';
  checkRoot(pem, { key, trustDomain, certificatePath });
  const root = new x509.X509Certificate(pem);
  return {
    trustDomain,
    trustBundle: [pem],
    issue: async (identity, lifeMs) => issueLeaf({ root, signingKey, id: workloadId(trustDomain, identity), lifeMs }),
    issueAgent: (lifeMs) => issueLeaf({ root, signingKey, id: agentSpiffeId(trustDomain), lifeMs }),
  };
}

async function readOrCreateKey(keyPath: string, certificatePath: string): Promise<string> {
  const existing = await readIfThere(keyPath);
  if (existing !== undefined) {
    // A folder of secrets that somebody else mounted is theirs to guard, and may be read-only.
    await chmod(keyPath, 0o600).catch(() => undefined);
    return existing;
  }
  if ((await readIfThere(certificatePath)) !== undefined)
    throw new AppError('ca-unusable', `${certificatePath} exists but its key ${keyPath} does not: restore the key, or move both away`);
  const { privateKey } = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
  await createExclusively(keyPath, x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY'));
  return (await readIfThere(keyPath)) ?? '';
}

async function privateKeyFromPem(pem: string, path: string): Promise<webcrypto.CryptoKey> {
  try {
    const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
    return await webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), KEY_ALGORITHM, false, ['sign']);
  } catch (error) {
    const message = `${path} is not an ECDSA P-256 key in PEM (${messageOf(error)}): restore it, or move it and ca.pem away`;
    throw new AppError('ca-unusable', message, { cause: error });
  }
}

async function selfSign(keyPem: string, signingKey: webcrypto.CryptoKey, trustDomain: string): Promise<string> {
  const spki = createPublicKey(keyPem).export({ type: 'spki', format: 'der' });
  const publicKey = await webcrypto.subtle.importKey('spki', new Uint8Array(spki), KEY_ALGORITHM, true, ['verify']);
  const usages = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.create(
    {
      ...{ serialNumber: serial(), subject: `O=${trustDomain},CN=Hawser root`, issuer: `O=${trustDomain},CN=Hawser root` },
      ...{ notBefore: new Date(now - BACKDATE_MS), notAfter: new Date(now + ROOT_LIFE_MS) },
      ...{ publicKey, signingKey, signingAlgorithm: KEY_ALGORITHM },
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(usages, true),
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
        await x509.SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return `${certificate.toString('pem')}\n`;
}

function checkRoot(pem: string, expected: { key: string; trustDomain: string; certificatePath: string }): void {
  const { key, trustDomain, certificatePath } = expected;
  const problem = rootProblem(pem, key, trustDomain);
  if (problem === undefined) return;
  throw new AppError(
    'ca-unusable',
    `${certificatePath} ${problem}: restore the pair ca.key and ca.pem, or move both away to start a new root`,
  );
}

function rootProblem(pem: string, key: string, trustDomain: string): string | undefined {
  let root: X509Certificate;
  try {
    root = new X509Certificate(pem);
  } catch (error) {
    return `is not a certificate (${messageOf(error)})`;
  }
  if (!root.ca) return 'is not the certificate of an authority';
  if (!root.checkPrivateKey(createPrivateKey(key))) return 'does not belong to ca.key';
  if (root.subjectAltName !== `URI:spiffe://${trustDomain}`) return `is for ${root.subjectAltName}, not for spiffe://${trustDomain}`;
  if (root.validToDate.getTime() < Date.now()) return `expired on ${root.validTo}`;
  return undefined;
}

interface LeafRequest {
  readonly root: x509.X509Certificate;
  readonly signingKey: webcrypto.CryptoKey;
  /** SPIFFE ID. */
  readonly id: string;
  readonly lifeMs: number | undefined;
}

function workloadId(trustDomain: string, { namespace, serviceAccount }: WorkloadIdentity): string {
  if (!PATH_SEGMENT.test(namespace) || !PATH_SEGMENT.test(serviceAccount))
    throw new AppError('identity-invalid', `no SPIFFE ID can hold ${JSON.stringify(namespace)} and ${JSON.stringify(serviceAccount)}`);
  return spiffeId(trustDomain, namespace, serviceAccount);
}

async function issueLeaf({ root, signingKey, id, lifeMs = LEAF_LIFE_MS }: LeafRequest): Promise<IssuedCertificate> {
  const keys = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
  const now = Date.now();
  const [notBefore, notAfter] = [now - BACKDATE_MS, Math.min(now + lifeMs, root.notAfter.getTime())];
  const certificate = await x509.X509CertificateGenerator.create(
    {
      ...{ serialNumber: serial(), issuer: root.subjectName, notBefore: new Date(notBefore), notAfter: new Date(notAfter) },
      ...{ publicKey: keys.publicKey, signingKey, signingAlgorithm: KEY_ALGORITHM },
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        // Critical, because the subject is empty (RFC 5280 4.2.1.6).
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: id }], true),
        await x509.AuthorityKeyIdentifierExtension.create(root, false, webcrypto),
      ],
    },
    webcrypto,
  );
  const privateKey = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificateChainPem: `${certificate.toString('pem')}\n`,
    privateKeyPem: `${x509.PemConverter.encode(privateKey, 'PRIVATE KEY')}\n`,
    notBefore,
    notAfter,
  };
}

/** A positive random serial number of 127 bits (RFC 5280 4.1.2.2). */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
