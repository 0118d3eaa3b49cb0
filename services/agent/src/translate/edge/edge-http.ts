/** HTTP at the edge: who calls is not of the mesh, and nothing it says of itself is believed. Pure. */
import type { DrillFault } from '@hawser/model/drill-form.ts';
import { HttpProtocolOptions_HeadersWithUnderscoresAction } from '@hawser/xds/generated/envoy/config/core/v3/protocol_pb.ts';
import { CorsSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/cors/v3/cors_pb.ts';
import { HTTPFaultSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import { RouterSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/router/v3/router_pb.ts';
import {
  HttpConnectionManager_ForwardClientCertDetails as ClientCert,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManagerSchema,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
} from '@hawser/xds/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { chainFaultFilters } from '../listeners/faulted-chains.ts';
import { CORS_FILTER, FAULT_FILTER } from '../routes/route-filters.ts';
import { ADS, extension, type Init, millis } from '../wire-values.ts';

/** Bytes that a connection may have waiting in one direction (Envoy's edge best practices). */
export const EDGE_BUFFER_BYTES = 32_768;

type HttpInit = Init<typeof HttpConnectionManagerSchema>;

/**
 * Takes requests from clients outside of the mesh, as Envoy's edge best practices have it: their address is that of the connection,
 * `x-forwarded-for` goes on from there, `x-envoy-*` of theirs is dropped, paths are normalised before they are matched, and what one
 * connection may hold is bounded. There is no limit on a whole request: uploads and streams may last, but not idle.
 */
export function clientHttp(routes: string): ReturnType<typeof extension> {
  return connectionManager(routes, {
    useRemoteAddress: true,
    // Addresses of private networks are strangers' here as well.
    internalAddressConfig: {},
    stripTrailingHostDot: true,
    pathWithEscapedSlashesAction: EscapedSlashes.UNESCAPE_AND_REDIRECT,
    requestHeadersTimeout: millis(10_000),
    commonHttpProtocolOptions: {
      idleTimeout: millis(300_000),
      headersWithUnderscoresAction: HttpProtocolOptions_HeadersWithUnderscoresAction.REJECT_REQUEST,
    },
    http2ProtocolOptions: { maxConcurrentStreams: 100, initialStreamWindowSize: 65_536, initialConnectionWindowSize: 1_048_576 },
    forwardClientCertDetails: ClientCert.SANITIZE_SET,
    setCurrentClientCertDetails: { subject: true, dns: true, uri: true },
  });
}

/** Takes requests from sidecars of the mesh, whose identity the connection proves; `fault` is what a drill does to them. */
export function meshHttp(routes: string, fault?: DrillFault): ReturnType<typeof extension> {
  const filters = [...chainFaultFilters(fault), ...FILTERS];
  return connectionManager(routes, {
    httpFilters: filters,
    http2ProtocolOptions: { allowConnect: true },
    forwardClientCertDetails: ClientCert.SANITIZE_SET,
    setCurrentClientCertDetails: { uri: true },
  });
}

const FILTERS = [
  // Idle until a route configures them.
  extension(CORS_FILTER, CorsSchema, {}),
  extension(FAULT_FILTER, HTTPFaultSchema, {}),
  extension('envoy.filters.http.router', RouterSchema, { suppressEnvoyHeaders: true }),
];

function connectionManager(routes: string, more: HttpInit): ReturnType<typeof extension> {
  return extension('envoy.filters.network.http_connection_manager', HttpConnectionManagerSchema, {
    statPrefix: routes,
    routeSpecifier: { case: 'rds', value: { routeConfigName: routes, configSource: ADS } },
    httpFilters: FILTERS,
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    serverHeaderTransformation: ServerHeader.PASS_THROUGH,
    normalizePath: true,
    mergeSlashes: true,
    streamIdleTimeout: millis(300_000),
    ...more,
  });
}
