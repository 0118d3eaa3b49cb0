/** How a host outside of the mesh is spoken to: plainly, or by the TLS that a DestinationRule asks for. */
import type { DataSourceSchema } from '@hawser/xds/generated/envoy/config/core/v3/base_pb.ts';
import { ProxyProtocolConfig_Version } from '@hawser/xds/generated/envoy/config/core/v3/proxy_protocol_pb.ts';
import { ProxyProtocolUpstreamTransportSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.ts';
import {
  type CertificateValidationContextSchema,
  SubjectAltNameMatcher_SanType as San,
  type SubjectAltNameMatcherSchema,
} from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import {
  type CommonTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';
import { INBOUND_TRUST } from '../names.ts';
import { clientTls, plainSocket, type TransportSocketInit } from '../tls.ts';
import { ADS, extension, type Init } from '../wire-values.ts';
import type { PolicyBlocks, TlsRule } from './traffic-policy.ts';

/** Authorities of the proxy's system, where Debian, Ubuntu and Alpine have them: they are believed where a rule names none. */
export const SYSTEM_AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';

/** The host that is called. */
export interface TlsHost {
  /** May be a wildcard. */
  readonly host: string;
  /** Whether the name that the caller asked for is told and checked by each request; else it is the host's, once for all. */
  readonly isHttp: boolean;
  readonly alpn: readonly string[];
  /** Of its ServiceEntry: they count where the rule names none. */
  readonly subjectAltNames: readonly string[];
  /** Secret to be used in the place of files; its authorities are in one of the same name with `|ca`. */
  readonly credential?: string | undefined;
}

/** The socket; plain where the rule asks for nothing. */
export function originatedSocket({ tls, proxyProtocol }: PolicyBlocks, host: TlsHost): TransportSocketInit {
  const socket = encrypts(tls) ? tlsSocket(tls, host) : plainSocket();
  if (proxyProtocol === undefined) return socket;
  const version = proxyProtocol.version === 'V2' ? ProxyProtocolConfig_Version.V2 : ProxyProtocolConfig_Version.V1;
  return extension('envoy.transport_sockets.upstream_proxy_protocol', ProxyProtocolUpstreamTransportSchema, {
    config: { version },
    transportSocket: socket,
  });
}

/** Whether a rule asks for TLS. */
export function encrypts(tls: TlsRule | undefined): tls is TlsRule {
  return tls?.mode === 'SIMPLE' || tls?.mode === 'MUTUAL' || tls?.mode === 'ISTIO_MUTUAL';
}

/** Whether each request's host is told to the server, and its certificate checked for it (Istio: where the rule names neither). */
export function namesFromRequests(
  tls: TlsRule | undefined,
  host: Pick<TlsHost, 'isHttp' | 'subjectAltNames'>,
): { sni: boolean; names: boolean } {
  const isOurs = tls?.mode === 'ISTIO_MUTUAL';
  const sni = host.isHttp && encrypts(tls) && !isOurs && (tls.sni ?? '') === '';
  return { sni, names: sni && tls?.insecureSkipVerify !== true && wantedNames(tls, host).length === 0 };
}

function tlsSocket(rule: TlsRule, host: TlsHost): TransportSocketInit {
  const isWild = host.host.startsWith('*');
  const sni = (rule.sni ?? '') !== '' ? (rule.sni ?? '') : host.isHttp || isWild ? '' : host.host;
  // The certificate of a workload of the mesh, for a server that knows our authorities and has one of theirs.
  if (rule.mode === 'ISTIO_MUTUAL') return clientTls(INBOUND_TRUST, isWild ? sni : rule.sni || host.host, host.alpn);
  return extension('envoy.transport_sockets.tls', UpstreamTlsContextSchema, {
    commonTlsContext: { alpnProtocols: [...host.alpn], ...ownCertificate(rule, host), ...validation(rule, host) },
    sni,
  });
}

type Common = Init<typeof CommonTlsContextSchema>;

function ownCertificate({ mode, clientCertificate, privateKey }: TlsRule, { credential }: TlsHost): Common {
  if (mode !== 'MUTUAL') return {};
  if (credential !== undefined) return { tlsCertificateSdsSecretConfigs: [{ name: credential, sdsConfig: ADS }] };
  if (clientCertificate === undefined || privateKey === undefined) return {};
  return { tlsCertificates: [{ certificateChain: file(clientCertificate), privateKey: file(privateKey) }] };
}

function validation(rule: TlsRule, host: TlsHost): Common {
  if (rule.insecureSkipVerify === true) return {};
  const wanted = wantedNames(rule, host);
  const names = wanted.length > 0 || host.isHttp || host.host.startsWith('*') ? wanted : [host.host];
  const matchTypedSubjectAltNames = names.flatMap(matchers);
  if (host.credential !== undefined) {
    const combined = {
      defaultValidationContext: { matchTypedSubjectAltNames },
      validationContextSdsSecretConfig: { name: `${host.credential}|ca`, sdsConfig: ADS },
    };
    return { validationContextType: { case: 'combinedValidationContext', value: combined } };
  }
  const value: Init<typeof CertificateValidationContextSchema> = {
    trustedCa: file(rule.caCertificates ?? SYSTEM_AUTHORITIES),
    ...(rule.caCrl === undefined ? {} : { crl: file(rule.caCrl) }),
    matchTypedSubjectAltNames,
  };
  return { validationContextType: { case: 'validationContext', value } };
}

function wantedNames(rule: TlsRule | undefined, { subjectAltNames }: Pick<TlsHost, 'subjectAltNames'>): readonly string[] {
  const own = rule?.subjectAltNames ?? [];
  return own.length > 0 ? own : subjectAltNames;
}

/** A name may be of a host or a URI; an address is looked for among addresses. */
function matchers(name: string): Init<typeof SubjectAltNameMatcherSchema>[] {
  const sanTypes = name.includes('://') ? [San.URI] : /^[0-9.]+$|:/.test(name) ? [San.IP_ADDRESS] : [San.DNS];
  return sanTypes.map((sanType) => ({ sanType, matcher: { matchPattern: { case: 'exact', value: name } } }));
}

function file(filename: string): Init<typeof DataSourceSchema> {
  return { specifier: { case: 'filename', value: filename } };
}
