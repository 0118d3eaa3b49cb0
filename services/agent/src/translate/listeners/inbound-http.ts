/** The server sidecar's HTTP side. */
import { create } from '@bufbuild/protobuf';
import type { DrillFault } from '@hawser/model/drill-form.ts';
import { VirtualHost_TlsRequirementType } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { RouteConfigurationSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import { GrpcWebSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts';
import { RouterSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/router/v3/router_pb.ts';
import {
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_ServerHeaderTransformation,
  HttpConnectionManagerSchema,
} from '@hawser/xds/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded } from '../encode.ts';
import { UNSENT_HEADER } from '../routes/retries.ts';
import { PLAIN_PASSED } from '../telemetry/plain-logs.ts';
import { ADS, extension, type Init, millis } from '../wire-values.ts';
import { delayFilters, failingRoutes } from './faulted-chains.ts';

/** What a port's HTTP is like. */
export interface InboundHttp {
  readonly application?: string | undefined;
  /** Whether callers are not of the mesh. */
  readonly isOutside?: boolean;
  /** What a drill does to requests. */
  readonly fault?: DrillFault | undefined;
}

/**
 * Proxies to the application. When it could not be reached at all (UF), or was not even tried (UO, UH), the sidecar's own
 * answer says so in a header; the caller's sidecar may then repeat any request. An application cannot set that header.
 */
export function inboundHttp(statPrefix: string, routes: string, options: InboundHttp = {}): ReturnType<typeof extension> {
  const { application, isOutside = false, fault } = options;
  return extension('envoy.filters.network.http_connection_manager', HttpConnectionManagerSchema, {
    statPrefix,
    routeSpecifier: { case: 'rds', value: { routeConfigName: routes, configSource: ADS } },
    // What policies say of paths is said of these; escaped slashes stay, for applications that want them.
    normalizePath: true,
    mergeSlashes: true,
    httpFilters: [
      ...delayFilters(fault),
      // Browsers cannot speak gRPC: theirs is translated, everybody else's passes as it is.
      ...(application === 'grpc-web' ? [extension('envoy.filters.http.grpc_web', GrpcWebSchema, {})] : []),
      extension('envoy.filters.http.router', RouterSchema, {}),
    ],
    http2ProtocolOptions: { allowConnect: true },
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH,
    forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET,
    setCurrentClientCertDetails: { uri: true },
    streamIdleTimeout: millis(300_000),
    ...(isOutside ? { ...STRANGERS, accessLog: [...PLAIN_PASSED] } : unsent()),
  });
}

/** Strangers' addresses are those of their connections, and what they say of themselves in `x-forwarded-*` and `x-envoy-*` is dropped. */
const STRANGERS = { useRemoteAddress: true, internalAddressConfig: {} };

function unsent(): Pick<Init<typeof HttpConnectionManagerSchema>, 'localReplyConfig'> {
  return {
    localReplyConfig: {
      mappers: [
        {
          filter: { filterSpecifier: { case: 'responseFlagFilter', value: { flags: ['UF', 'UO', 'UH'] } } },
          headersToAdd: [{ header: { key: UNSENT_HEADER, value: '1' } }],
        },
      ],
    },
  };
}

/** What becomes of some requests on the way to the application. */
export interface InboundRoutes {
  /** Whether callers are told to come again by HTTPS. */
  readonly redirects?: boolean;
  /** What a drill does to requests. */
  readonly fault?: DrillFault | undefined;
}

/**
 * The way from a server's sidecar to the application; apart from the listener, for who may take it changes without cutting anybody.
 */
export function inboundRoutes(name: string, cluster: string, { redirects = false, fault }: InboundRoutes = {}): XdsResource {
  const routes = create(RouteConfigurationSchema, {
    name,
    responseHeadersToRemove: [UNSENT_HEADER],
    virtualHosts: [
      {
        ...{ name: cluster, domains: ['*'], routes: [...failingRoutes(fault), { match: ANY_PATH, action: toApplication(cluster) }] },
        ...(redirects ? { requireTls: VirtualHost_TlsRequirementType.ALL } : {}),
      },
    ],
  });
  return encoded('RDS', name, routes, RouteConfigurationSchema);
}

const ANY_PATH = { pathSpecifier: { case: 'prefix', value: '/' } } as const;

function toApplication(cluster: string): {
  case: 'route';
  value: { clusterSpecifier: { case: 'cluster'; value: string }; timeout: ReturnType<typeof millis> };
} {
  return { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: cluster }, timeout: millis(0) } };
}
