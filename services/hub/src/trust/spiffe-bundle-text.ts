/** PURE: a bundle as a SPIFFE bundle endpoint gave it (SPIFFE Trust Domain and Bundle, 4), read with suspicion. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import { checkBundle } from '@hawser/runtime/authority-certificate.ts';
import { repeatedKeys } from '../http/json-body.ts';

/** What it says, as far as it can be used. */
export interface ReadBundle {
  /** Absent where the endpoint gives none: then an older answer cannot be told from a newer one. */
  readonly sequence: bigint | undefined;
  /** Seconds, as given. */
  readonly refreshHint: number | undefined;
  /** PEM, sorted; empty where there are no keys at all: then nobody is to be believed. */
  readonly certificates: readonly string[];
  /** Hex SHA-256 of the public keys of these. */
  readonly keyIds: readonly string[];
  /** What was left out, in words. */
  readonly problems: readonly string[];
}

const MOST_KEYS = 100;
/** 64 bits without a sign. */
const MOST_SEQUENCE = 2n ** 64n - 1n;

/** Reads one; a text that is no bundle, or whose keys are all unusable, is a problem: only a bundle that has none on purpose is empty. */
export function readSpiffeBundle(trustDomain: string, text: string, now: number): ReadBundle | { readonly problem: string } {
  let value: unknown;
  let sequence: bigint | undefined;
  try {
    value = JSON.parse(text, (key, given: unknown, context?: { readonly source?: string }) => {
      // As it is written: a JSON number beyond 2^53 loses its last bits.
      if (key === 'spiffe_sequence' && /^[0-9]+$/.test(context?.source ?? '')) return BigInt(context?.source ?? 0);
      return given;
    });
  } catch (error) {
    return { problem: `it is no JSON (${messageOf(error).slice(0, 200)})` };
  }
  const twice = repeatedKeys(text);
  if (twice.length > 0)
    return { problem: `it names a field twice, and it cannot be known which is meant: ${twice.slice(0, 5).join(', ')}` };
  if (!isObject(value)) return { problem: 'it is no JSON object' };
  const { keys, spiffe_sequence: said, spiffe_refresh_hint: hint } = value;
  if (said !== undefined) {
    if (typeof said !== 'bigint' || said > MOST_SEQUENCE) return { problem: 'its spiffe_sequence is no whole number of 64 bits' };
    sequence = said;
  }
  if (hint !== undefined && (typeof hint !== 'number' || !Number.isInteger(hint) || hint < 0))
    return { problem: 'its spiffe_refresh_hint is no whole number of seconds' };
  if (!Array.isArray(keys)) return { problem: 'it has no list of keys' };
  if (keys.length > MOST_KEYS) return { problem: `it has more than ${MOST_KEYS} keys` };
  const head = { sequence, refreshHint: hint };
  return keys.length === 0 ? { ...head, certificates: [], keyIds: [], problems: [] } : withKeys(trustDomain, { head, keys, now });
}

interface Given {
  readonly head: Pick<ReadBundle, 'sequence' | 'refreshHint'>;
  readonly keys: readonly unknown[];
  readonly now: number;
}

/** Keys of other uses, such as those of JWT-SVIDs, are passed over (4.2.2). */
function withKeys(trustDomain: string, { head, keys, now }: Given): ReadBundle | { readonly problem: string } {
  const problems: string[] = [];
  const pems: string[] = [];
  for (const [index, key] of keys.entries()) {
    if (!isObject(key) || key['use'] !== 'x509-svid') continue;
    const { x5c } = key;
    const [der] = Array.isArray(x5c) && x5c.length === 1 ? (x5c as unknown[]) : [];
    if (typeof der === 'string' && /^[A-Za-z0-9+/]+=*$/.test(der)) pems.push(pemOf(der));
    else problems.push(`key ${index + 1} has not exactly one certificate in x5c: it is left out`);
  }
  const checked = checkBundle(trustDomain, pems, now);
  problems.push(...checked.problems);
  if (checked.authorities.length === 0) return { problem: problems[0] ?? 'none of its keys is for X.509-SVIDs' };
  const certificates = checked.authorities.map(({ pem }) => pem).sort();
  return { ...head, certificates, keyIds: checked.authorities.map(({ keyId }) => keyId), problems };
}

function pemOf(base64: string): string {
  return `-----BEGIN CERTIFICATE-----\n${base64.match(/.{1,64}/g)?.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
