/** Route configurations, put together from virtual hosts that were encoded before: a change re-encodes its own hosts alone. */
import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type VirtualHost, VirtualHostSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { RouteConfigurationSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import { versionOf } from './encode.ts';
import { CAPTURE, OUTBOUND, PASSTHROUGH_CLUSTER } from './names.ts';
import { UNSENT_HEADER } from './retries.ts';
import { MOST_BODY_BYTES } from './route-actions.ts';
import { millis } from './wire-values.ts';

/** A virtual host in protobuf binary, and the clusters it needs. */
export interface EncodedHost {
  readonly name: string;
  readonly domains: readonly string[];
  /** Content hash. */
  readonly version: string;
  /** As a field of a route configuration: tag, length and message. */
  readonly field: Uint8Array;
  readonly clusters: readonly string[];
}

/** Encodes a virtual host. */
export function encodedHost(host: VirtualHost): EncodedHost {
  const clusters = host.routes.flatMap(({ action }) => {
    if (action.case !== 'route') return [];
    const { clusterSpecifier: to, requestMirrorPolicies: mirrors } = action.value;
    const copies = mirrors.map(({ cluster }) => cluster);
    if (to.case === 'cluster') return [to.value, ...copies];
    return to.case === 'weightedClusters' ? [...to.value.clusters.map((cluster) => cluster.name), ...copies] : copies;
  });
  const bytes = toBinary(VirtualHostSchema, host);
  const field = new BinaryWriter().tag(HOSTS_FIELD, WireType.LengthDelimited).bytes(bytes).finish();
  return { name: host.name, domains: host.domains, version: versionOf(bytes), field, clusters };
}

const HOSTS_FIELD = RouteConfigurationSchema.field.virtualHosts.number;

/**
 * The route configuration `name` of these hosts, in the order they come in. The fields of a repeated message are written one
 * after the other (protobuf encoding), so that encoded hosts can be joined; the version is made of theirs. What no host is for
 * goes to the upstream `elsewhere`, if that is given.
 */
export function routeConfiguration(name: string, hosts: readonly EncodedHost[], elsewhere?: string): XdsResource {
  const base = create(RouteConfigurationSchema, {
    name,
    responseHeadersToRemove: name === OUTBOUND || name === CAPTURE ? [UNSENT_HEADER] : [],
    ...(name === OUTBOUND || name === CAPTURE ? { maxDirectResponseBodySizeBytes: MOST_BODY_BYTES } : {}),
    virtualHosts: elsewhere !== undefined ? [anybody(elsewhere)] : name === OUTBOUND ? [NOBODY] : name === CAPTURE ? [ANYBODY] : [],
  });
  const head = toBinary(RouteConfigurationSchema, base);
  const bytes = Buffer.concat([head, ...hosts.map(({ field }) => field)]);
  const versions = Buffer.from([versionOf(head), ...hosts.map(({ version }) => version)].join());
  return { type: 'RDS', name, version: versionOf(versions), bytes };
}

/** A call to a host that no service has is told so. */
const NOBODY = create(VirtualHostSchema, {
  name: '*',
  domains: ['*'],
  routes: [
    {
      match: { pathSpecifier: { case: 'prefix', value: '/' } },
      action: {
        case: 'directResponse',
        value: { status: 404, body: { specifier: { case: 'inlineString', value: 'hawser: no service has this host and port\n' } } },
      },
    },
  ],
});

/** A call to a host that no service has goes to an upstream that finds the way by itself. */
function anybody(cluster: string): VirtualHost {
  return create(VirtualHostSchema, {
    name: '*',
    domains: ['*'],
    routes: [
      {
        match: { pathSpecifier: { case: 'prefix', value: '/' } },
        action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: cluster }, timeout: millis(0) } },
      },
    ],
  });
}

/** A captured one goes where it was going. */
const ANYBODY = anybody(PASSTHROUGH_CLUSTER);
