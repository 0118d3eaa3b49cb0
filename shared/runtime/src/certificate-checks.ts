/**
 * What is asked of every certificate, whoever made it and whatever it is for: how it was signed, its key, and the names in it
 * (SPIFFE X509-SVID 2 and 4; NIST SP 800-131A). Signatures and dates are not looked at.
 */
import 'reflect-metadata';
import { type KeyObject, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** Smaller RSA keys sign for nobody (NIST SP 800-131A). */
export const LEAST_RSA_BITS = 2048;

const WEAK_HASHES: ReadonlySet<string> = new Set(['SHA-1', 'MD5', 'MD2']);
/** P-256, P-384 and P-521: what Envoy verifies with. */
const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

/** The hash that a certificate is signed with, where that can be forged. */
export function weakHashOf({ signatureAlgorithm }: x509.X509Certificate): string | undefined {
  const { hash } = signatureAlgorithm as { readonly hash?: { readonly name?: string } };
  return WEAK_HASHES.has(hash?.name ?? '') ? hash?.name : undefined;
}

/** How many bits a key of RSA has, when they are too few; 0 when it does not say. */
export function fewRsaBits({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): number | undefined {
  if (asymmetricKeyType !== 'rsa' && asymmetricKeyType !== 'rsa-pss') return undefined;
  const bits = asymmetricKeyDetails?.modulusLength ?? 0;
  return bits < LEAST_RSA_BITS ? bits : undefined;
}

/** Whether a key is of a curve that is known to all who verify. */
export function isOnKnownCurve({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  return asymmetricKeyType === 'ec' && CURVES.has(asymmetricKeyDetails?.namedCurve ?? '');
}

/** Every URI that a certificate bears, of every extension of names that it has: a second one is no place to hide a name in. */
export function uriNamesOf({ extensions }: x509.X509Certificate): readonly string[] {
  return extensions
    .filter((extension) => extension instanceof x509.SubjectAlternativeNameExtension)
    .flatMap(({ names }) => names.items.filter(({ type }) => type === 'url').map(({ value }) => value));
}

/** The URI of a certificate (PEM or DER) that has exactly one, whatever it says; undefined too for what cannot be read. */
export function spiffeIdOf(certificate: string | Uint8Array): string | undefined {
  return read(certificate)?.uri;
}

/** The one SPIFFE ID of a leaf; undefined where there are several names of this kind or none, or it is an authority's. */
export function leafSpiffeId(certificate: Uint8Array): string | undefined {
  const { uri, isAuthority = true } = read(certificate) ?? {};
  return !isAuthority && uri?.startsWith('spiffe://') === true ? uri : undefined;
}

function read(certificate: string | Uint8Array): { readonly uri: string | undefined; readonly isAuthority: boolean } | undefined {
  try {
    const details = new x509.X509Certificate(new Uint8Array(new X509Certificate(certificate).raw));
    const uris = uriNamesOf(details);
    const isAuthority = details.getExtension(x509.BasicConstraintsExtension)?.ca === true;
    return { uri: uris.length === 1 ? uris[0] : undefined, isAuthority };
  } catch {
    return undefined;
  }
}
