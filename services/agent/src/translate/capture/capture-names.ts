/** The table of names, handed to the resolver beside an Envoy by that Envoy itself: no other way to the agent is needed. */
import { create } from '@bufbuild/protobuf';
import { PORTS } from '@hawser/model/ports.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import type { RouteSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { RouteConfigurationSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import { RouterSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/router/v3/router_pb.ts';
import { HttpConnectionManagerSchema } from '@hawser/xds/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded, versionOf } from '../encode.ts';
import { NAMES } from '../names.ts';
import { ADS, extension, type Init, socketAddress } from '../wire-values.ts';
import { nameTable } from './name-table.ts';
import type { AddressedHost, NamedHost } from './named-hosts.ts';
import { isVirtual, type VirtualRange } from './virtual-addresses.ts';

/** `GET /names` answers the table as JSON, `GET /version` its version alone. */
export function namesRoutes(hosts: readonly AddressedHost[]): XdsResource {
  const table = JSON.stringify(nameTable(hosts));
  const version = versionOf(Buffer.from(table));
  const message = create(RouteConfigurationSchema, {
    name: NAMES,
    maxDirectResponseBodySizeBytes: Math.max(4096, Buffer.byteLength(table)),
    virtualHosts: [{ name: NAMES, domains: ['*'], routes: [route('/version', version), route('/names', table)] }],
  });
  return encoded('RDS', NAMES, message, RouteConfigurationSchema);
}

/**
 * What an outbound gateway answers: names of the clusterset, with the addresses in `held` that packets get to and lead to it. A virtual
 * address of `range` means something to a captured workload alone, so whoever asks is told of none.
 */
export function outboundGatewayNames(
  hosts: readonly NamedHost[],
  { held, range }: { readonly held: ReadonlyMap<string, string> | undefined; readonly range: VirtualRange },
): XdsResource {
  const answered = hosts.filter(({ tellsPorts }) => tellsPorts === true);
  return namesRoutes(
    answered.map((host) => {
      const address = held?.get(host.host);
      return { ...host, aliases: [], addresses: address === undefined || isVirtual(address, range) ? [] : [address] };
    }),
  );
}

function route(path: string, text: string): Init<typeof RouteSchema> {
  return {
    match: { pathSpecifier: { case: 'path', value: path } },
    action: { case: 'directResponse', value: { status: 200, body: { specifier: { case: 'inlineString', value: text } } } },
  };
}

/** Where the resolver asks: on loopback, within the workload's own network namespace. */
export function namesListener(): XdsResource {
  return LISTENER;
}

const LISTENER = encoded(
  'LDS',
  NAMES,
  create(ListenerSchema, {
    name: NAMES,
    address: socketAddress('127.0.0.1', PORTS.names),
    filterChains: [
      {
        filters: [
          extension('envoy.filters.network.http_connection_manager', HttpConnectionManagerSchema, {
            statPrefix: NAMES,
            routeSpecifier: { case: 'rds', value: { routeConfigName: NAMES, configSource: ADS } },
            httpFilters: [extension('envoy.filters.http.router', RouterSchema, {})],
          }),
        ],
      },
    ],
  }),
  ListenerSchema,
);
