/** Route configurations, put together from virtual hosts that were encoded before: a change re-encodes its own hosts alone. */
import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import { type VirtualHost, VirtualHostSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { RouteConfigurationSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { inPieces, versionOf } from '../encode.ts';
import { CAPTURE, isOutboundRoutes, PASSTHROUGH_CLUSTER } from '../names.ts';
import { millis } from '../wire-values.ts';
import { UNSENT_HEADER } from './retries.ts';
import { MOST_BODY_BYTES } from './route-actions.ts';

/** A virtual host in protobuf binary, and the clusters it needs. */
export interface EncodedHost {
  readonly name: string;
  readonly domains: readonly string[];
  /** Content hash. */
  readonly version: string;
  /** As a field of a route configuration: tag, length and message. */
  readonly field: Uint8Array;
  readonly clusters: readonly string[];
  /** Those among them that only get copies of requests. */
  readonly copiesTo: readonly string[];
  /** Whether a block of hosts begins here: by the name alone, so that equal hosts make equal blocks, whatever was there before. */
  readonly opensBlock: boolean;
}

/** Encodes a virtual host. */
export function encodedHost(host: VirtualHost): EncodedHost {
  const copiesTo: string[] = [];
  const clusters = host.routes.flatMap(({ action }) => {
    if (action.case !== 'route') return [];
    const { clusterSpecifier: to, requestMirrorPolicies: mirrors } = action.value;
    const copies = mirrors.map(({ cluster }) => cluster);
    copiesTo.push(...copies);
    if (to.case === 'cluster') return [to.value, ...copies];
    return to.case === 'weightedClusters' ? [...to.value.clusters.map((cluster) => cluster.name), ...copies] : copies;
  });
  const bytes = toBinary(VirtualHostSchema, host);
  const field = new BinaryWriter().tag(HOSTS_FIELD, WireType.LengthDelimited).bytes(bytes).finish();
  const { name, domains } = host;
  return { name, domains, version: versionOf(bytes), field, clusters, copiesTo, opensBlock: sha256(name).endsWith(BLOCK_MARK) };
}

/** One name in 16 ends so: a change joins the hosts of its block anew, and a large configuration is not too many pieces. */
const BLOCK_MARK = '7';

const HOSTS_FIELD = RouteConfigurationSchema.field.virtualHosts.number;

/**
 * The route configuration `name` of these hosts, in the order they come in. The fields of a repeated message are written one
 * after the other (protobuf encoding), so that encoded hosts can be joined; they are in blocks, and a change joins its own block
 * alone. The version is made of theirs. What no host is for goes to the upstream `elsewhere`, if that is given.
 */
export function routeConfiguration(name: string, hosts: readonly EncodedHost[], elsewhere?: string): XdsResource {
  const base = create(RouteConfigurationSchema, {
    name,
    responseHeadersToRemove: isOutboundRoutes(name) ? [UNSENT_HEADER] : [],
    ...(isOutboundRoutes(name) ? { maxDirectResponseBodySizeBytes: MOST_BODY_BYTES } : {}),
    virtualHosts: elsewhere !== undefined ? [anybody(elsewhere)] : lastHosts(name),
  });
  const head = toBinary(RouteConfigurationSchema, base);
  const blocks = blocksOf(hosts);
  const version = sha256([versionOf(head), ...blocks.map(({ versions }) => versions)].join()).slice(0, 16);
  const copiesTo = blocks.flatMap((block) => block.copiesTo);
  return inPieces({ type: 'RDS', name, version, copiesTo }, [head, ...blocks.map(({ bytes }) => bytes)]);
}

function lastHosts(name: string): VirtualHost[] {
  if (name === CAPTURE) return [ANYBODY];
  return isOutboundRoutes(name) ? [NOBODY] : [];
}

/** Hosts that follow each other, joined once for every configuration that they are in. */
interface Block {
  readonly hosts: readonly EncodedHost[];
  /** Of the hosts. */
  readonly versions: string;
  readonly bytes: Uint8Array;
  readonly copiesTo: readonly string[];
}

/** By the first host: the block that it opened last. */
const knownBlocks = new WeakMap<EncodedHost, Block>();

function blocksOf(hosts: readonly EncodedHost[]): Block[] {
  const blocks: Block[] = [];
  for (let start = 0, end = 0; start < hosts.length; start = end) {
    for (end = start + 1; end < hosts.length && hosts[end]?.opensBlock === false; ) end += 1;
    blocks.push(blockOf(hosts, start, end));
  }
  return blocks;
}

function blockOf(all: readonly EncodedHost[], start: number, end: number): Block {
  const first = all[start];
  const known = first === undefined ? undefined : knownBlocks.get(first);
  if (known?.hosts.length === end - start && known.hosts.every((host, index) => host === all[start + index])) return known;
  const hosts = all.slice(start, end);
  const block = {
    ...{ hosts, versions: hosts.map(({ version }) => version).join() },
    bytes: Buffer.concat(hosts.map(({ field }) => field)),
    copiesTo: hosts.flatMap(({ copiesTo }) => copiesTo),
  };
  if (first !== undefined) knownBlocks.set(first, block);
  return block;
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
