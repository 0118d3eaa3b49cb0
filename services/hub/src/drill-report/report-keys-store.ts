/**
 * The key that reports are signed with. It is made for this alone, once for all replicas of a hub, and lies in the database sealed
 * (AES-256-GCM) with a key that is derived (HKDF-SHA-256) from the one on the hub's disk: who reads the database, or a backup of it,
 * cannot sign.
 */
import { createCipheriv, createDecipheriv, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { type ReportKey, reportKeyOf } from '@hawser/model/drill-report.ts';
import { generateSigner, type Signer, signerFromPem, signerToPem } from '@hawser/wire/signing.ts';
import { asc, eq, isNull, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { drillReportKeys } from '../db/schema.ts';

const CIPHER = 'aes-256-gcm';
const PURPOSE = 'hawser.dev/drill-report-key/v1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What seals the key: derived from the hub's document-signing key, which all replicas have. */
export function sealingKeyOf(hubKey: Signer): Buffer {
  const secret = hubKey.privateKey.export({ format: 'der', type: 'pkcs8' });
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), PURPOSE, 32));
}

/**
 * The key that signs, made where there is none. One that this hub cannot open was sealed by a hub whose keys were lost: it signs no more,
 * and another is made.
 */
export async function reportSigner(tx: Statements, sealingKey: Buffer): Promise<KeyObject> {
  const signing = await signingKey(tx);
  const opened = signing === undefined ? undefined : open(signing.sealed, { sealingKey, keyId: signing.keyId });
  if (opened !== undefined) return opened;
  // Whoever makes one at the same time is waited for, and is first.
  await tx.execute(sql`LOCK TABLE ${drillReportKeys} IN SHARE ROW EXCLUSIVE MODE`);
  const meanwhile = await signingKey(tx);
  if (meanwhile !== undefined && meanwhile.keyId !== signing?.keyId) return reportSigner(tx, sealingKey);
  if (meanwhile !== undefined)
    await tx.update(drillReportKeys).set({ retiredAt: sql`clock_timestamp()` }).where(eq(drillReportKeys.keyId, meanwhile.keyId));
  const made = generateSigner();
  const { kid } = reportKeyOf(made.publicKey);
  await tx
    .insert(drillReportKeys)
    .values({ keyId: kid, publicKey: made.publicKey, sealed: sealed(signerToPem(made), { sealingKey, keyId: kid }) });
  return made.privateKey;
}

/** Every key that has signed reports, the newest last. */
export async function reportKeys(tx: Statements): Promise<readonly ReportKey[]> {
  const rows = await tx.select({ publicKey: drillReportKeys.publicKey }).from(drillReportKeys).orderBy(asc(drillReportKeys.createdAt));
  return rows.map(({ publicKey }) => reportKeyOf(publicKey));
}

async function signingKey(tx: Statements) {
  const { keyId, sealed: bytes, retiredAt } = drillReportKeys;
  const [row] = await tx.select({ keyId, sealed: bytes }).from(drillReportKeys).where(isNull(retiredAt));
  return row;
}

interface Seal {
  readonly sealingKey: Buffer;
  /** Bound to what is sealed: a row cannot be given another's. */
  readonly keyId: string;
}

function sealed(text: string, { sealingKey, keyId }: Seal): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, sealingKey, nonce).setAAD(Buffer.from(keyId));
  const content = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), content]);
}

/** Undefined when it was sealed otherwise. */
function open(bytes: Buffer, { sealingKey, keyId }: Seal): KeyObject | undefined {
  const [nonce, tag] = [bytes.subarray(0, NONCE_BYTES), bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)];
  try {
    const decipher = createDecipheriv(CIPHER, sealingKey, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(keyId)).setAuthTag(tag);
    const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
    return signerFromPem(text).privateKey;
  } catch {
    return undefined;
  }
}
