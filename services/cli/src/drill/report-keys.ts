/** PURE: keys that reports are verified with, out of a file: a JWK (RFC 8037), a set of them, or a public key as PEM. */
import { createPublicKey } from 'node:crypto';
import { type ReportKey, reportKeyOf } from '@hawser/model/drill-report.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';

/** The keys of the file. Throws `key-unreadable` when it has none. */
export function parseReportKeys(text: string, file: string): readonly ReportKey[] {
  try {
    if (text.trimStart().startsWith('-----BEGIN')) return [keyOf(createPublicKey(text).export({ format: 'jwk' }))];
    const value = JSON.parse(text) as { readonly keys?: unknown };
    const keys = Array.isArray(value.keys) ? value.keys.map(keyOf) : [keyOf(value)];
    if (keys.length === 0) throw new Error('it has no key');
    return keys;
  } catch (error) {
    const wanted = 'a JWK, a set of them (hawser drill keys -o FILE), or a public key as PEM';
    throw new AppError('key-unreadable', `${file}: ${messageOf(error)}; wanted is ${wanted}`);
  }
}

/** The thumbprint is made anew: a file could say another. */
function keyOf(value: unknown): ReportKey {
  const { kty, crv, x } = (value ?? {}) as { readonly kty?: unknown; readonly crv?: unknown; readonly x?: unknown };
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string') throw new Error('it is no public key of Ed25519');
  const bytes = Buffer.from(x, 'base64url');
  if (bytes.length !== 32) throw new Error(`its key has ${bytes.length} bytes, not 32`);
  return reportKeyOf(bytes.toString('base64url'));
}
