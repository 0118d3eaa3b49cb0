/** The TLS side of an edge server. Pure. */
import type { GatewayTls } from '@hawser/model/istio/specs.ts';
import {
  type CertificateValidationContextSchema,
  SubjectAltNameMatcher_SanType,
  type TlsParametersSchema,
  TlsParameters_TlsProtocol as Version,
} from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
} from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { IDENTITY_SECRET } from '../names.ts';
import type { TransportSocketInit } from '../tls.ts';
import { ADS, extension, type Init } from '../wire-values.ts';
import type { FieldProblem } from './certificates.ts';

/** What the context is made of. */
export interface ServerTlsParts {
  readonly tls: GatewayTls;
  readonly alpn: readonly string[];
  /** SDS names of what is presented; the proxy's own identity when there is none. */
  readonly certificates: readonly string[];
  /** SDS name of what clients are checked by; undefined: they are not asked. */
  readonly authorities: string | undefined;
}

/** The transport socket of a server, and what of its settings cannot be done. */
export function edgeTls(parts: ServerTlsParts): { readonly socket: TransportSocketInit; readonly problems: readonly FieldProblem[] } {
  const { tls, certificates, authorities } = parts;
  const names = certificates.length > 0 ? certificates : [IDENTITY_SECRET];
  const params = parametersOf(tls);
  const checks = checksOf(tls);
  const common: Init<typeof CommonTlsContextSchema> = {
    tlsParams: params.value,
    tlsCertificateSdsSecretConfigs: names.map((name) => ({ name, sdsConfig: ADS })),
    alpnProtocols: [...parts.alpn],
    ...(authorities === undefined ? {} : { validationContextType: validation(authorities, checks.value) }),
  };
  const isMutual = tls.mode !== 'SIMPLE';
  const socket = extension('envoy.transport_sockets.tls', DownstreamTlsContextSchema, {
    commonTlsContext: common,
    requireClientCertificate: tls.mode === 'MUTUAL' || tls.mode === 'ISTIO_MUTUAL',
    // A client whose certificate was revoked must not come back by a session of before.
    ...(isMutual
      ? {
          sessionTicketKeysType: { case: 'disableStatelessSessionResumption', value: true } as const,
          disableStatefulSessionResumption: true,
        }
      : {}),
  });
  return { socket, problems: [...params.problems, ...(authorities === undefined ? [] : checks.problems)] };
}

type ValidationInit = Init<typeof CertificateValidationContextSchema>;

/** Roots come by SDS; what else is checked is the server's own. */
function validation(name: string, checks: ValidationInit): NonNullable<Init<typeof CommonTlsContextSchema>['validationContextType']> {
  const sds = { name, sdsConfig: ADS };
  if (Object.keys(checks).length === 0) return { case: 'validationContextSdsSecretConfig', value: sds };
  return { case: 'combinedValidationContext', value: { defaultValidationContext: checks, validationContextSdsSecretConfig: sds } };
}

const VERSIONS: Readonly<Record<string, Version>> = {
  TLSV1_0: Version.TLSv1_0,
  TLSV1_1: Version.TLSv1_1,
  TLSV1_2: Version.TLSv1_2,
  TLSV1_3: Version.TLSv1_3,
};

/** TLS 1.2 and 1.3 unless told otherwise. */
function parametersOf(tls: GatewayTls): { value: Init<typeof TlsParametersSchema>; problems: FieldProblem[] } {
  const problems: FieldProblem[] = [];
  const least = VERSIONS[tls.minProtocolVersion ?? ''] ?? Version.TLSv1_2;
  const asked = VERSIONS[tls.maxProtocolVersion ?? ''] ?? Version.TLSv1_3;
  const isOrdered = asked >= least;
  if (!isOrdered) problems.push({ field: '.maxProtocolVersion', message: 'is below the least version: the least version alone is spoken' });
  const ciphers = (tls.cipherSuites ?? []).filter((suite, index) => {
    const isKnown = CIPHER_SUITES.has(suite);
    if (!isKnown)
      problems.push({ field: `.cipherSuites[${index}]`, message: `Envoy does not know ${JSON.stringify(suite)}: it is left out` });
    return isKnown;
  });
  const value = {
    tlsMinimumProtocolVersion: least,
    tlsMaximumProtocolVersion: isOrdered ? asked : least,
    cipherSuites: [...new Set(ciphers)],
  };
  return { value, problems };
}

/** What BoringSSL takes for TLS 1.2 and below; those of TLS 1.3 cannot be chosen. */
const CIPHER_SUITES: ReadonlySet<string> = new Set([
  ...['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ...['ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305', 'ECDHE-PSK-CHACHA20-POLY1305'],
  ...['ECDHE-ECDSA-AES128-SHA', 'ECDHE-RSA-AES128-SHA', 'ECDHE-PSK-AES128-CBC-SHA'],
  ...['ECDHE-ECDSA-AES256-SHA', 'ECDHE-RSA-AES256-SHA', 'ECDHE-PSK-AES256-CBC-SHA'],
  ...['AES128-GCM-SHA256', 'AES128-SHA', 'PSK-AES128-CBC-SHA', 'AES256-GCM-SHA384', 'AES256-SHA', 'PSK-AES256-CBC-SHA', 'DES-CBC3-SHA'],
]);

/** SANs of any type, and fingerprints: certificates of clients must match one of what is given. */
function checksOf(tls: GatewayTls): { value: ValidationInit; problems: FieldProblem[] } {
  const problems: FieldProblem[] = [];
  const valid = (field: 'verifyCertificateSpki' | 'verifyCertificateHash', form: RegExp, what: string): string[] =>
    (tls[field] ?? []).filter((text, index) => {
      const isValid = form.test(text);
      if (!isValid) problems.push({ field: `.${field}[${index}]`, message: `is not ${what}: no client can match it` });
      return isValid;
    });
  const spki = valid('verifyCertificateSpki', /^[A-Za-z0-9+/]{43}=$/, 'a SHA-256 in base64');
  const hash = valid('verifyCertificateHash', /^([0-9a-fA-F]{64}|[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){31})$/, 'a SHA-256 in hexadecimal digits');
  const names = (tls.subjectAltNames ?? []).flatMap((name) =>
    SAN_TYPES.map((sanType) => ({ sanType, matcher: { matchPattern: { case: 'exact' as const, value: name } } })),
  );
  // What was asked for and could not be read must not become "anybody".
  const [askedSpki, askedHash] = [(tls.verifyCertificateSpki ?? []).length > 0, (tls.verifyCertificateHash ?? []).length > 0];
  const value: ValidationInit = {
    ...(names.length === 0 ? {} : { matchTypedSubjectAltNames: names }),
    ...(askedSpki ? { verifyCertificateSpki: spki.length > 0 ? spki : [NO_HASH] } : {}),
    ...(askedHash ? { verifyCertificateHash: hash.length > 0 ? hash : askedSpki ? [] : ['0'.repeat(64)] } : {}),
  };
  return { value, problems };
}

/** The hash of no key. */
const NO_HASH = `${'A'.repeat(43)}=`;

const SAN_TYPES = [
  SubjectAltNameMatcher_SanType.EMAIL,
  SubjectAltNameMatcher_SanType.DNS,
  SubjectAltNameMatcher_SanType.URI,
  SubjectAltNameMatcher_SanType.IP_ADDRESS,
];

/** Names of SDS resources. */
export function namesOf(resources: readonly XdsResource[]): string[] {
  return resources.map(({ name }) => name);
}
