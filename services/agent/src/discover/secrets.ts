/** Secrets of the registry → credentials. What is broken or gone keeps its last good state: certificates in use do not vanish. Pure. */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import type { Credential, Credentials, KeyPair } from '../state/credential.ts';
import { namespaceOf, type RegistryObject, type SecretObject } from './registry-kinds.ts';
import { isRevocationList } from './revocation-list.ts';

/** Credentials after a read of the registry; `before` itself when none differs. */
export function credentialsOf(objects: readonly RegistryObject[], before: Credentials): Credentials {
  const secrets = objects.filter((object): object is SecretObject => object.kind === 'Secret');
  const after = new Map(secrets.map((secret) => [`${namespaceOf(secret)}/${secret.metadata.name}`, credentialIn(secret)]));
  for (const [key, known] of before) after.set(key, kept(after.get(key), known));
  const isSame = after.size === before.size && [...after].every(([key, one]) => textOf(one) === textOf(before.get(key)));
  return isSame ? before : new Map([...after].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What the Secrets are that this cannot use, for the operator. */
export function credentialWarnings(credentials: Credentials): string[] {
  return [...credentials].flatMap(([key, { problem }]) => (problem === undefined ? [] : [`Secret ${key}: ${problem}`]));
}

/** Material as saved state has it; a saved problem is found anew by the first read. */
export function savedCredentials(saved: readonly Credential[]): Credentials {
  return new Map(saved.map((credential) => [`${credential.namespace}/${credential.name}`, credential]));
}

/** The newest state, or the last good one where the newest is none. */
function kept(now: Credential | undefined, known: Credential): Credential {
  if (now !== undefined && now.problem === undefined) return textOf(now) === textOf(known) ? known : now;
  const problem = now === undefined ? 'it is gone from the registry' : now.problem;
  if (known.keyPair === undefined && known.authorities === undefined) return now ?? { ...known, problem: problem ?? '' };
  return { ...known, problem: `${problem?.replace(/ \(its last good state is used\)$/, '')} (its last good state is used)` };
}

function textOf(credential: Credential | undefined): string {
  if (credential === undefined) return '';
  const { keyPair, authorities, revoked, problem } = credential;
  return createHash('sha256')
    .update(JSON.stringify([keyPair?.certificate, keyPair?.key, authorities, revoked, problem]))
    .digest('base64');
}

/** Names under which a Secret holds each part, as kubernetes.io/tls and Istio's generic secrets have them. */
const NAMES = {
  certificate: ['tls.crt', 'cert'],
  key: ['tls.key', 'key'],
  authorities: ['ca.crt', 'cacert'],
  revoked: ['ca.crl', 'crl'],
} as const;

/** Objects are never changed in place: each is read once. */
const read = new WeakMap<SecretObject, Credential>();

function credentialIn(secret: SecretObject): Credential {
  const known = read.get(secret);
  if (known !== undefined) return known;
  const named = { namespace: namespaceOf(secret), name: secret.metadata.name };
  let credential: Credential;
  try {
    credential = { ...named, ...partsOf(secret) };
  } catch (error) {
    credential = { ...named, problem: error instanceof Unusable ? error.message : 'its content cannot be read' };
  }
  read.set(secret, credential);
  return credential;
}

/** What is wrong, without a word of the content. */
class Unusable extends Error {}

function partsOf(secret: SecretObject): Pick<Credential, 'keyPair' | 'authorities' | 'revoked'> {
  const part = (names: readonly string[]): string | undefined =>
    names.map((name) => textIn(secret, name)).find((text) => text !== undefined);
  const [certificate, key, authorities, revoked] = [part(NAMES.certificate), part(NAMES.key), part(NAMES.authorities), part(NAMES.revoked)];
  if ((certificate === undefined) !== (key === undefined))
    throw new Unusable(certificate === undefined ? 'data[tls.crt] is missing' : 'data[tls.key] is missing');
  if (certificate === undefined && authorities === undefined) throw new Unusable('it holds neither tls.crt with tls.key nor ca.crt');
  return {
    ...(certificate === undefined || key === undefined ? {} : { keyPair: keyPairOf(certificate, key) }),
    ...(authorities === undefined ? {} : { authorities: certificatesIn('ca.crt', authorities).join('') }),
    ...(revoked === undefined ? {} : { revoked: revocationsIn(revoked) }),
  };
}

function textIn(secret: SecretObject, name: string): string | undefined {
  const plain = secret.stringData?.[name];
  if (plain !== undefined) return plain;
  const encoded = secret.data?.[name];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
}

function keyPairOf(certificate: string, key: string): KeyPair {
  const chain = certificatesIn('tls.crt', certificate);
  const [leaf] = chain;
  const privateKey = readKey(key);
  if (leaf === undefined || !new X509Certificate(leaf).checkPrivateKey(privateKey))
    throw new Unusable('data[tls.key] is not the key of the first certificate of data[tls.crt]');
  return { certificate: chain.join(''), key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) };
}

function readKey(text: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(text);
  } catch {
    throw new Unusable('data[tls.key] is not a private key in PEM without a passphrase');
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

function certificatesIn(name: string, text: string): string[] {
  const found = text.match(CERTIFICATE) ?? [];
  if (found.length === 0) throw new Unusable(`data[${name}] holds no certificate in PEM`);
  return found.map((pem, index) => {
    try {
      return `${new X509Certificate(pem).toString().trim()}\n`;
    } catch {
      throw new Unusable(`data[${name}]: certificate ${index + 1} cannot be read`);
    }
  });
}

const REVOCATIONS = /-----BEGIN X509 CRL-----[A-Za-z0-9+/=\s]+-----END X509 CRL-----/g;

function revocationsIn(text: string): string {
  const found = text.match(REVOCATIONS) ?? [];
  if (found.length === 0) throw new Unusable('data[ca.crl] holds no revocation list in PEM');
  const broken = found.findIndex((pem) => !isRevocationList(Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')));
  if (broken >= 0) throw new Unusable(`data[ca.crl]: list ${broken + 1} cannot be read`);
  return found.map((pem) => `${pem}\n`).join('');
}
