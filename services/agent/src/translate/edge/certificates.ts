/** Certificates of servers: which secrets a server names, and the SDS resources they become. Pure. */
import { create } from '@bufbuild/protobuf';
import type { GatewayTls } from '@hawser/model/istio/specs.ts';
import { SecretSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import type { Credential, Credentials } from '../../state/credential.ts';
import { encoded } from '../encode.ts';
import type { Init } from '../wire-values.ts';

/** What a server presents, and what it checks clients by; or which field keeps it from being served. */
export type ServerSecrets =
  | {
      readonly certificates: readonly XdsResource[];
      readonly authorities: XdsResource | undefined;
      readonly warnings: readonly FieldProblem[];
    }
  | { readonly problem: FieldProblem };

/** Below the server's `tls`. */
export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

/** Where secrets are looked for: the namespace of the proxy, which must be proven to be in it. */
export interface SecretPlace {
  readonly namespace: string;
  readonly credentials: Credentials;
}

/** The secrets of a server that terminates TLS with certificates of its own. */
export function serverSecrets(tls: GatewayTls, place: SecretPlace): ServerSecrets {
  const warnings: FieldProblem[] = [];
  const certificates = presented(tls, place, warnings);
  if ('problem' in certificates) return certificates;
  if (tls.mode === 'SIMPLE') return { certificates: certificates.resources, authorities: undefined, warnings };
  const authorities = believed(tls, place, warnings);
  if ('problem' in authorities) return authorities;
  return { certificates: certificates.resources, authorities: authorities.resource, warnings };
}

type Problem = { readonly problem: FieldProblem };

function presented(tls: GatewayTls, place: SecretPlace, warnings: FieldProblem[]): { resources: XdsResource[] } | Problem {
  const named = namesOf(tls);
  const resources: XdsResource[] = [];
  for (const { name, field } of named) {
    const credential = credentialNamed(name, place);
    if (credential?.keyPair === undefined) return missing(field, name, { place, credential, what: 'tls.crt and tls.key' });
    if (credential.problem !== undefined) warnings.push({ field, message: `Secret ${keyOf(name, place)}: ${credential.problem}` });
    resources.push(keyPairSecret(credential, credential.keyPair));
  }
  for (const [index, { serverCertificate, privateKey }] of filePairs(tls).entries()) {
    const at = tls.tlsCertificates === undefined ? '' : `.tlsCertificates[${index}]`;
    if (serverCertificate === undefined || privateKey === undefined)
      return { problem: { field: at, message: 'needs serverCertificate and privateKey: nothing listens for this server' } };
    resources.push(fileSecret(serverCertificate, privateKey));
  }
  if (resources.length > 0) return { resources };
  return {
    problem: {
      field: '',
      message: 'names no certificate (credentialName, or serverCertificate and privateKey): nothing listens for this server',
    },
  };
}

function namesOf({ credentialName, credentialNames }: GatewayTls): { name: string; field: string }[] {
  if (credentialNames !== undefined && credentialNames.length > 0)
    return credentialNames.map((name, index) => ({ name, field: `.credentialNames[${index}]` }));
  return credentialName === undefined || credentialName === '' ? [] : [{ name: credentialName, field: '.credentialName' }];
}

function filePairs(tls: GatewayTls): { serverCertificate?: string | undefined; privateKey?: string | undefined }[] {
  if (namesOf(tls).length > 0) return [];
  if (tls.tlsCertificates !== undefined && tls.tlsCertificates.length > 0) return [...tls.tlsCertificates];
  return tls.serverCertificate === undefined && tls.privateKey === undefined ? [] : [tls];
}

/** `caCertCredentialName`, else Istio's `NAME-cacert`, else `ca.crt` of the same Secret; or files. */
function believed(tls: GatewayTls, place: SecretPlace, warnings: FieldProblem[]): { resource: XdsResource } | Problem {
  const [first] = namesOf(tls);
  const own = tls.caCertCredentialName ?? '';
  if (own !== '' || first !== undefined) {
    const candidates = own !== '' ? [own] : [`${first?.name}-cacert`, first?.name ?? ''];
    const field = own !== '' ? '.caCertCredentialName' : (first?.field ?? '');
    const found = candidates.map((name) => credentialNamed(name, place)).find((credential) => credential?.authorities !== undefined);
    const name = candidates.at(-1) ?? '';
    if (found?.authorities === undefined) return missing(field, name, { place, credential: credentialNamed(name, place), what: 'ca.crt' });
    if (found.problem !== undefined && own !== '') warnings.push({ field, message: `Secret ${keyOf(own, place)}: ${found.problem}` });
    return { resource: authoritiesSecret(found, found.authorities) };
  }
  const file = tls.caCertificates ?? tls.tlsCertificates?.find(({ caCertificates }) => caCertificates !== undefined)?.caCertificates;
  if (file !== undefined) return { resource: authoritiesFile(file, tls.caCrl) };
  return { problem: { field: '.caCertificates', message: 'names nothing to check clients by: nothing listens for this server' } };
}

/** Istio's `kubernetes://NAME` and `kubernetes-gateway://NS/NAME` are the same Secrets; the namespace is the proxy's all the same. */
function keyOf(name: string, { namespace }: SecretPlace): string {
  return `${namespace}/${name.replace(/^kubernetes(-gateway)?:\/\/([^/]+\/)?/, '')}`;
}

function credentialNamed(name: string, place: SecretPlace): Credential | undefined {
  return place.credentials.get(keyOf(name, place));
}

function missing(
  field: string,
  name: string,
  { place, credential, what }: { place: SecretPlace; credential: Credential | undefined; what: string },
): Problem {
  const secret = `Secret ${keyOf(name, place)}`;
  const why = credential === undefined ? `there is no ${secret} in the registry` : `${secret} ${credential.problem ?? `has no ${what}`}`;
  return { problem: { field, message: `${why}: nothing listens for this server until there is` } };
}

type SecretInit = Init<typeof SecretSchema>;

function secret(name: string, type: NonNullable<SecretInit['type']>): XdsResource {
  return encoded('SDS', name, create(SecretSchema, { name, type }), SecretSchema);
}

function keyPairSecret({ namespace, name }: Credential, { certificate, key }: { certificate: string; key: string }): XdsResource {
  const value = { certificateChain: inline(certificate), privateKey: inline(key) };
  return secret(`credential|${namespace}/${name}`, { case: 'tlsCertificate', value });
}

/** Files are the proxy's own: Envoy reads them, and reads them again when they are replaced. */
function fileSecret(certificate: string, key: string): XdsResource {
  const value = { certificateChain: file(certificate), privateKey: file(key) };
  return secret(`file|${certificate}|${key}`, { case: 'tlsCertificate', value });
}

function authoritiesSecret({ namespace, name, revoked }: Credential, authorities: string): XdsResource {
  const crl = revoked === undefined ? {} : { crl: inline(revoked), onlyVerifyLeafCertCrl: true };
  return secret(`credential|${namespace}/${name}|ca`, { case: 'validationContext', value: { trustedCa: inline(authorities), ...crl } });
}

function authoritiesFile(path: string, crlPath: string | undefined): XdsResource {
  const crl = crlPath === undefined || crlPath === '' ? {} : { crl: file(crlPath), onlyVerifyLeafCertCrl: true };
  return secret(`file|${path}|${crlPath ?? ''}|ca`, { case: 'validationContext', value: { trustedCa: file(path), ...crl } });
}

function inline(value: string): { specifier: { case: 'inlineString'; value: string } } {
  return { specifier: { case: 'inlineString', value } };
}

function file(value: string): { specifier: { case: 'filename'; value: string } } {
  return { specifier: { case: 'filename', value } };
}
