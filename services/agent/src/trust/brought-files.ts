/** The files in which a user brings an authority: PEM or PKCS#12. They are read here and checked in `brought-authority.ts`. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { openPkcs12 } from './pkcs12.ts';

/** Paths; `p12` alone, or `cert` and `key`. */
export interface BroughtFiles {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Certificates above that of `cert`, up to the root, in any order. */
  readonly chain?: string | undefined;
  readonly p12?: string | undefined;
  /** Of the container, or of an encrypted key. */
  readonly passwordFile?: string | undefined;
}

/** Certificates and one private key, PEM. */
export interface BroughtPems {
  readonly certificates: readonly string[];
  readonly key: string;
}

const MOST_BYTES = 256 * 1024;
const WHOLE = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/** Reads them; throws `import-refused`, naming file, reason and way out. */
export async function readBroughtFiles(files: BroughtFiles): Promise<BroughtPems> {
  const password = files.passwordFile === undefined ? undefined : (await textOf(files.passwordFile)).replace(/\r?\n$/, '');
  if (files.p12 !== undefined) {
    const { certificates, keys } = openPkcs12(await bytesOf(files.p12), password ?? '', files.p12);
    return { certificates, key: onlyKey(keys, files.p12) };
  }
  if (files.cert === undefined || files.key === undefined)
    throw refused('nothing to import: give --cert and --key (and --chain for an intermediate), or --p12');
  const certificates = [...(await certificatesIn(files.cert)), ...(files.chain === undefined ? [] : await certificatesIn(files.chain))];
  const key = onlyKey(keysIn(await textOf(files.key), files.key), files.key);
  return { certificates, key: decrypted(key, { name: files.key, password }) };
}

async function certificatesIn(path: string): Promise<string[]> {
  const blocks = blocksOf(await textOf(path), path);
  if (blocks.some(({ label }) => label.endsWith('PRIVATE KEY')))
    throw refused(`${path} holds a private key where certificates belong: give the key with --key, and certificates alone here`);
  const pems = blocks.filter(({ label }) => label === 'CERTIFICATE').map(({ pem }) => pem);
  if (pems.length === 0) throw refused(`${path} holds no certificate in PEM`);
  return pems.map((pem) => {
    try {
      return `${new X509Certificate(pem).toString().trim()}\n`;
    } catch (error) {
      throw refused(`${path} holds a certificate that cannot be read (${messageOf(error)}): it may be cut off; copy it again`, error);
    }
  });
}

function keysIn(text: string, path: string): string[] {
  return blocksOf(text, path)
    .filter(({ label }) => label.endsWith('PRIVATE KEY'))
    .map(({ pem }) => pem);
}

function onlyKey(keys: readonly string[], path: string): string {
  const [key] = keys;
  if (key === undefined) throw refused(`${path} holds no private key`);
  if (keys.length > 1) throw refused(`${path} holds ${keys.length} private keys: give the one of the certificate alone`);
  return key;
}

function decrypted(pem: string, { name, password }: { readonly name: string; readonly password: string | undefined }): string {
  const isEncrypted = pem.includes('ENCRYPTED');
  if (isEncrypted && password === undefined) throw refused(`${name} is encrypted: give its password with --password-file`);
  try {
    const key = createPrivateKey(isEncrypted ? { key: pem, passphrase: password ?? '' } : pem);
    return key.export({ type: 'pkcs8', format: 'pem' }).toString();
  } catch (error) {
    const reason = isEncrypted
      ? `the password does not open ${name}: give the right one with --password-file`
      : `${name} holds a private key that cannot be read (${messageOf(error)}): it may be cut off; copy it again`;
    throw refused(reason, error);
  }
}

function blocksOf(text: string, path: string): { readonly label: string; readonly pem: string }[] {
  const blocks = [...text.matchAll(WHOLE)].map(([pem, label = '']) => ({ label, pem }));
  if (text.split('-----BEGIN ').length - 1 !== blocks.length)
    throw refused(`${path} is cut off: a block begins in it that does not end; copy it again`);
  return blocks;
}

async function textOf(path: string): Promise<string> {
  return (await bytesOf(path)).toString('utf8');
}

async function bytesOf(path: string): Promise<Buffer> {
  try {
    if ((await stat(path)).size > MOST_BYTES) throw new Error(`it is larger than ${MOST_BYTES} bytes`);
    return await readFile(path);
  } catch (error) {
    throw refused(`${path} cannot be read: ${messageOf(error)}`, error);
  }
}

function refused(reason: string, cause?: unknown): AppError {
  return new AppError('import-refused', reason, { status: 422, cause });
}
