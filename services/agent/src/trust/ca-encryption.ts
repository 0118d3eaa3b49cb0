/**
 * The key that the cluster's signing keys are encrypted with at rest: AES-256-GCM (NIST SP 800-38D), each sealed to its trust
 * domain and generation, so that no sealed key can be put in another's place.
 */
import { createCipheriv, createDecipheriv, createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { readIfThere } from '@hawser/runtime/durable-file.ts';
import Type, { type Static } from 'typebox';
import { createExclusively } from './exclusive-file.ts';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Where the key is made when none is given: beside what it encrypts, until the operator moves it. */
const DEFAULT_FILE = 'ca-encryption.key';
/** While one key replaces another there are two; after attempts that failed there may be some more. */
const MOST_KEYS = 8;

/** A signing key as it lies on disk; the bytes are base64. */
export const SealedKey = Type.Object(
  {
    cipher: Type.Literal(CIPHER),
    /** Says by which key it was sealed, without saying anything of that key. */
    by: Type.String(),
    nonce: Type.String(),
    ciphertext: Type.String(),
    tag: Type.String(),
  },
  { additionalProperties: false },
);
export type SealedKey = Static<typeof SealedKey>;

/** What a sealed key belongs to. */
export interface SealedFor {
  readonly trustDomain: string;
  readonly generation: string;
}

/**
 * Where the encryption key comes from: `value` (base64 or hex of 32 bytes) goes before `file`, which holds the same. There may be several,
 * with white space between: the first one seals, and each of them opens what it sealed, so that a key can be replaced.
 */
export interface CaKeySource {
  readonly value?: string | undefined;
  readonly file?: string | undefined;
}

/** Seals and opens signing keys. */
export class CaEncryption {
  /** 16 hex digits by which a key knows what it sealed: of the one that seals. */
  readonly id: string;
  readonly #keys: ReadonlyMap<string, KeyObject>;
  readonly #sealing: KeyObject;
  readonly #from: string;

  /** `former` are keys that open what they sealed before, and seal nothing any more. */
  constructor(key: Uint8Array, from: string, former: readonly Uint8Array[] = []) {
    this.#sealing = createSecretKey(key);
    this.#from = from;
    this.id = idOf(this.#sealing);
    this.#keys = new Map([...former.map((one) => createSecretKey(one)), this.#sealing].map((one) => [idOf(one), one]));
  }

  /** Whether it has the key that sealed this; not whether it is whole. */
  opens({ by }: SealedKey): boolean {
    return this.#keys.has(by);
  }

  /** Encrypts PEM. */
  seal(pem: string, of: SealedFor): SealedKey {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#sealing, nonce, { authTagLength: TAG_BYTES }).setAAD(bound(of));
    const ciphertext = Buffer.concat([cipher.update(pem, 'utf8'), cipher.final()]);
    const [encoded, tag] = [ciphertext, cipher.getAuthTag()].map((bytes) => bytes.toString('base64'));
    return { cipher: CIPHER, by: this.id, nonce: nonce.toString('base64'), ciphertext: encoded ?? '', tag: tag ?? '' };
  }

  /** Decrypts; throws `ca-key-wrong` for what another key sealed, and `ca-unusable` for what is damaged or belongs elsewhere. */
  open(sealed: SealedKey, of: SealedFor): string {
    const key = this.#keys.get(sealed.by);
    if (key === undefined)
      throw new AppError(
        'ca-key-wrong',
        `the signing keys of ${of.trustDomain} are encrypted with another key (${sealed.by}) than that of ${this.#from} (${this.id}): ${WAY_OUT}`,
      );
    try {
      const nonce = Buffer.from(sealed.nonce, 'base64');
      const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(bound(of));
      decipher.setAuthTag(Buffer.from(sealed.tag, 'base64'));
      return Buffer.concat([decipher.update(Buffer.from(sealed.ciphertext, 'base64')), decipher.final()]).toString('utf8');
    } catch (error) {
      const message = `the encrypted key of generation ${of.generation} of ${of.trustDomain} is damaged, or was moved here from elsewhere: restore the folder`;
      throw new AppError('ca-unusable', message, { cause: error });
    }
  }
}

function idOf(key: KeyObject): string {
  return createHmac('sha256', key).update('hawser ca encryption key').digest('hex').slice(0, 16);
}

const WAY_OUT = 'give the right one with --ca-key-file (HAWSER_CA_KEY_FILE) or HAWSER_CA_KEY';

/**
 * The encryption key that was given; else the one in the cluster's identity folder, which is made when `mayMake` is true. Throws
 * `ca-key-missing` or `ca-key-wrong` with the way out.
 */
export async function loadCaEncryption(source: CaKeySource, folder: string, mayMake: boolean): Promise<CaEncryption> {
  if (source.value !== undefined) return fromText(source.value, 'HAWSER_CA_KEY');
  if (source.file !== undefined) return fromText(await givenFile(source.file), source.file);
  const path = defaultCaKeyFile(folder);
  if (mayMake) await createExclusively(path, `${newCaKey()}\n`);
  const text = await readIfThere(path);
  if (text === undefined)
    throw new AppError('ca-key-missing', `the cluster's signing keys are encrypted, and ${path} is not there: restore it, or ${WAY_OUT}`);
  // A folder of secrets that somebody else mounted is theirs to guard, and may be read-only.
  await chmod(path, 0o600).catch(() => undefined);
  return fromText(text, path);
}

async function givenFile(path: string): Promise<string> {
  const text = await readIfThere(path).catch((error: unknown) => {
    throw new AppError('ca-key-missing', `${path} cannot be read (${messageOf(error)}): ${WAY_OUT}`, { cause: error });
  });
  if (text !== undefined) return text;
  throw new AppError('ca-key-missing', `${path} is not there: make it with "openssl rand -base64 32", or ${WAY_OUT}`);
}

/** A new encryption key, as files hold it. */
export function newCaKey(): string {
  return randomBytes(KEY_BYTES).toString('base64');
}

/** Where the key lies when none is given. */
export function defaultCaKeyFile(identityDir: string): string {
  return join(identityDir, DEFAULT_FILE);
}

function fromText(text: string, from: string): CaEncryption {
  const words = text.trim().split(/\s+/);
  const [key, ...former] = words.map((word) => Buffer.from(word, /^[0-9a-f]{64}$/i.test(word) ? 'hex' : 'base64'));
  if (key !== undefined && words.length <= MOST_KEYS && [key, ...former].every(({ length }) => length === KEY_BYTES))
    return new CaEncryption(key, from, former);
  throw new AppError(
    'ca-key-wrong',
    `${from} holds no key of ${KEY_BYTES} bytes in base64 or hex: make one with "openssl rand -base64 32", or ${WAY_OUT}`,
  );
}

function bound({ trustDomain, generation }: SealedFor): Buffer {
  return Buffer.from(`hawser-ca/1\0${trustDomain}\0${generation}`);
}
