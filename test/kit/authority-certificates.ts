/** Certificates of authorities of any shape, good and bad, for tests of who is believed. */
import type { webcrypto } from 'node:crypto';
import type { KeyUsageFlags } from '@peculiar/x509';
import { forgeRoot, newKeys, P256, rsa, uri } from './forge.ts';

/** What is unusual about it. */
export interface AuthorityShape {
  readonly ca?: boolean;
  readonly usages?: KeyUsageFlags;
  /** URIs that it bears; none unless given. */
  readonly uris?: readonly string[];
  readonly hash?: 'SHA-1' | 'SHA-256';
  /** RSA of so many bits instead of P-256. */
  readonly rsaBits?: number;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly keys?: webcrypto.CryptoKeyPair;
}

const HOUR_MS = 3_600_000;

/** A key pair for several certificates. */
export function authorityKeys(): Promise<webcrypto.CryptoKeyPair> {
  return newKeys(P256);
}

/** PEM of a self-signed certificate of an authority. */
export async function authorityCertificate(name: string, shape: AuthorityShape = {}): Promise<string> {
  const { ca = true, usages, uris = [], hash = 'SHA-256', rsaBits, keys, notBefore, notAfter } = shape;
  const { certificate } = await forgeRoot(name, {
    ...{ ca, keys, names: uris.map(uri), algorithm: rsaBits === undefined ? { ...P256, hash } : rsa(rsaBits, hash) },
    ...(usages === undefined ? {} : { keyUsage: usages }),
    ...(notBefore === undefined ? {} : { from: hoursTo(notBefore) }),
    ...(notAfter === undefined ? {} : { until: hoursTo(notAfter) }),
  });
  return `${certificate.toString('pem')}\n`;
}

function hoursTo(date: Date): number {
  return (date.getTime() - Date.now()) / HOUR_MS;
}
