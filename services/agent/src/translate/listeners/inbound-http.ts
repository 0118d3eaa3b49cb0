/** The server sidecar's HTTP side. */
import { GrpcWebSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts';
import { RouterSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/router/v3/router_pb.ts';
import {
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_ServerHeaderTransformation,
  HttpConnectionManagerSchema,
} from '@hawser/xds/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { UNSENT_HEADER } from '../routes/retries.ts';
import { extension, millis } from '../wire-values.ts';

/**
 * Proxies to the application. When it could not be reached at all (UF), or was not even tried (UO, UH), the sidecar's own
 * answer says so in a header; the caller's sidecar may then repeat any request. An application cannot set that header.
 */
export function inboundHttp(statPrefix: string, cluster: string, application?: string): ReturnType<typeof extension> {
  return extension('envoy.filters.network.http_connection_manager', HttpConnectionManagerSchema, {
    statPrefix,
    routeSpecifier: {
      case: 'routeConfig',
      value: {
        name: cluster,
        responseHeadersToRemove: [UNSENT_HEADER],
        virtualHosts: [{ name: cluster, domains: ['*'], routes: [{ match: ANY_PATH, action: toApplication(cluster) }] }],
      },
    },
    httpFilters: [
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
    localReplyConfig: {
      mappers: [
        {
          filter: { filterSpecifier: { case: 'responseFlagFilter', value: { flags: ['UF', 'UO', 'UH'] } } },
          headersToAdd: [{ header: { key: UNSENT_HEADER, value: '1' } }],
        },
      ],
    },
  });
}

const ANY_PATH = { pathSpecifier: { case: 'prefix', value: '/' } } as const;

function toApplication(cluster: string): {
  case: 'route';
  value: { clusterSpecifier: { case: 'cluster'; value: string }; timeout: ReturnType<typeof millis> };
} {
  return { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: cluster }, timeout: millis(0) } };
}
