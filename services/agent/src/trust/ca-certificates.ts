/** Certificates of the authority itself: roots, and intermediates below them (SPIFFE X509-SVID section 3.2, RFC 5280). */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import { GeneralName, GeneralSubtree, GeneralSubtrees, id_ce_nameConstraints, NameConstraints } from '@peculiar/asn1-x509';
import * as x509 from '@peculiar/x509';
import { newKeyPem, type SigningKey, serialNumber, signingKeyOf, webPublicKey, webSigningKey } from './signing-key.ts';

/** Issuing back-dates by this much, so that clocks may differ (RELIABILITY.md 6.2 case 39). */
export const BACKDATE_MS = 5 * 60_000;
const DAY_MS = 24 * 3_600_000;
/** Ten years: a root that ends ends the cluster's traffic, and only who schedules a rotation is sure of one. */
const ROOT_LIFE_MS = 10 * 365 * DAY_MS;
const INTERMEDIATE_LIFE_MS = 365 * DAY_MS;

/** A certificate and its key, both PEM. */
export interface CaPair {
  readonly certificate: string;
  readonly key: string;
}

/** Who signs. */
export interface CaIssuer {
  /** PEM. */
  readonly certificate: string;
  readonly key: SigningKey;
}

/** A self-signed root with a new key, below which there may be one intermediate. */
export async function makeRoot(trustDomain: string): Promise<CaPair> {
  const key = await newKeyPem();
  return { key, certificate: await selfSigned(key, trustDomain) };
}

/** A root for a key that is there already. */
export function selfSigned(keyPem: string, trustDomain: string): Promise<string> {
  const key = signingKeyOf(keyPem);
  const name = `O=${trustDomain},CN=Hawser root`;
  const root = { issuer: name, subject: name, notAfter: new Date(Date.now() + ROOT_LIFE_MS), pathLength: 1, more: [] };
  return certified(key, { ...root, trustDomain, signer: key });
}

/** An intermediate with a new key: signs leaves alone, and, where OpenSSL and Envoy look, for its own trust domain alone. */
export async function makeIntermediate(issuer: CaIssuer, trustDomain: string): Promise<CaPair> {
  const pem = await newKeyPem();
  const parent = new x509.X509Certificate(issuer.certificate);
  const notAfter = new Date(Math.min(Date.now() + INTERMEDIATE_LIFE_MS, parent.notAfter.getTime()));
  const certificate = await certified(signingKeyOf(pem), {
    ...{ issuer: parent.subjectName, subject: `O=${trustDomain},CN=Hawser intermediate ${Date.now().toString(36)}`, notAfter },
    ...{ pathLength: 0, trustDomain, signer: issuer.key },
    more: [
      new x509.Extension(id_ce_nameConstraints, true, AsnConvert.serialize(permitted(trustDomain))),
      await x509.AuthorityKeyIdentifierExtension.create(parent, false, webcrypto),
    ],
  });
  return { key: pem, certificate };
}

/** The path length that a CA certificate grants; undefined for no bound. */
export function pathLengthOf(pem: string): number | undefined {
  return new x509.X509Certificate(pem).getExtension(x509.BasicConstraintsExtension)?.pathLength;
}

interface CaRequest {
  readonly issuer: string | x509.Name;
  readonly subject: string;
  readonly notAfter: Date;
  readonly pathLength: number;
  readonly trustDomain: string;
  readonly signer: SigningKey;
  readonly more: readonly x509.Extension[];
}

async function certified(subjectKey: SigningKey, request: CaRequest): Promise<string> {
  const { issuer, subject, notAfter, pathLength, trustDomain, signer, more } = request;
  const publicKey = await webPublicKey(subjectKey);
  const usages = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
  const certificate = await x509.X509CertificateGenerator.create(
    {
      ...{ serialNumber: serialNumber().toString('hex'), subject, issuer, notBefore: new Date(Date.now() - BACKDATE_MS), notAfter },
      ...{ publicKey, signingKey: await webSigningKey(signer), signingAlgorithm: signer.algorithm },
      extensions: [
        new x509.BasicConstraintsExtension(true, pathLength, true),
        new x509.KeyUsagesExtension(usages, true),
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
        await x509.SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
        ...more,
      ],
    },
    webcrypto,
  );
  return `${certificate.toString('pem')}\n`;
}

/** A constraint of a URI is one of its host, here the trust domain exactly (RFC 5280 section 4.2.1.10). */
function permitted(trustDomain: string): NameConstraints {
  const base = new GeneralName({ uniformResourceIdentifier: trustDomain });
  return new NameConstraints({ permittedSubtrees: new GeneralSubtrees([new GeneralSubtree({ base })]) });
}
