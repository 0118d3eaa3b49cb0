/** mTLS between proxies: TLS 1.3, certificates and trust by SDS, no resumption (a revoked identity must not come back by ticket). */
import type { TransportSocketSchema } from '@hawser/xds/generated/envoy/config/core/v3/base_pb.ts';
import { InternalUpstreamTransportSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream_pb.ts';
import { RawBufferSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts';
import { TlsParameters_TlsProtocol } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';
import { IDENTITY_SECRET } from './names.ts';
import { ADS, extension, type Init } from './wire-values.ts';

export type TransportSocketInit = Init<typeof TransportSocketSchema>;

/** Key of host metadata that an internal upstream hands to the tunnel's listener. */
export const TUNNEL_METADATA = 'tunnel';

/** The client's side: presents its identity, checks the server by the named trust. */
export function clientTls(trust: string, sni: string, alpn: readonly string[]): TransportSocketInit {
  return extension('envoy.transport_sockets.tls', UpstreamTlsContextSchema, {
    commonTlsContext: commonTls(trust, alpn),
    sni,
    maxSessionKeys: 0,
  });
}

/** The server's side: demands a client certificate that the named trust accepts. */
export function serverTls(trust: string, alpn: readonly string[]): TransportSocketInit {
  return extension('envoy.transport_sockets.tls', DownstreamTlsContextSchema, {
    commonTlsContext: commonTls(trust, alpn),
    requireClientCertificate: true,
    sessionTicketKeysType: { case: 'disableStatelessSessionResumption', value: true },
    disableStatefulSessionResumption: true,
  });
}

/** Key of host metadata by which an internal listener knows where a connection is going (`local`: `IP:PORT`); Envoy's own. */
export const DESTINATION_METADATA = 'envoy.filters.listener.original_dst';

/** Wraps a socket for endpoints behind an internal listener, and hands this metadata of theirs on to it. */
export function throughTunnel(inner: TransportSocketInit, handed: string = TUNNEL_METADATA): TransportSocketInit {
  return extension('envoy.transport_sockets.internal_upstream', InternalUpstreamTransportSchema, {
    passthroughMetadata: [{ kind: { kind: { case: 'host', value: {} } }, name: handed }],
    transportSocket: inner,
  });
}

/** Plain TCP. */
export function plainSocket(): TransportSocketInit {
  return PLAIN;
}

const PLAIN = extension('envoy.transport_sockets.raw_buffer', RawBufferSchema, {});

function commonTls(trust: string, alpn: readonly string[]): Init<typeof CommonTlsContextSchema> {
  const version = TlsParameters_TlsProtocol.TLSv1_3;
  return {
    tlsParams: { tlsMinimumProtocolVersion: version, tlsMaximumProtocolVersion: version },
    tlsCertificateSdsSecretConfigs: [{ name: IDENTITY_SECRET, sdsConfig: ADS }],
    validationContextType: { case: 'validationContextSdsSecretConfig', value: { name: trust, sdsConfig: ADS } },
    alpnProtocols: [...alpn],
  };
}
