/**
 * Puts the observers of a proxy on its listeners, whoever built them and whatever they are for. Listeners are cut at their filter
 * chains, which are observed once for all proxies that have the same; what is a proxy's own stays outside of them.
 */
import { create, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { inPieces, versionOf } from '../encode.ts';
import { isInboundName } from '../names.ts';
import type { Side } from './effective-telemetry.ts';
import { type ObservedChain, observedChain } from './observed-chains.ts';
import type { Observers, ProxyTelemetry } from './proxy-telemetry.ts';

const { filterChains, defaultFilterChain } = ListenerSchema.field;
const CHAIN_FIELDS: ReadonlySet<number> = new Set([filterChains.number, defaultFilterChain.number]);

/** Listeners with observers, all other resources as they are, and what the observers need. */
export function observedAll(resources: readonly XdsResource[], telemetry: ProxyTelemetry): XdsResource[] {
  const metadata = metadataField(telemetry.metadata);
  return [
    ...resources.map((resource) => {
      if (resource.type === 'RDS') return telemetry.access.guarded(resource);
      return resource.type === 'LDS' ? observed(resource, telemetry, metadata) : resource;
    }),
    ...telemetry.resources,
  ];
}

function observed(resource: XdsResource, { observers }: ProxyTelemetry, metadata: Uint8Array): XdsResource {
  const { type, name } = resource;
  const { own, chains } = cutFor(resource, observers);
  // Fields of a message may come in any order, and the same chains in the same order are the same listener (protobuf encoding).
  const head = Buffer.concat([own, metadata]);
  const version = sha256([versionOf(head), ...chains.map((chain) => chain.version)].join()).slice(0, 16);
  return inPieces({ type, name, version }, [head, ...chains.map((chain) => chain.field)]);
}

/** A listener cut at its chains, which have their observers. */
interface Cut {
  readonly own: Uint8Array;
  readonly chains: readonly ObservedChain[];
}

/** Most listeners for calls are the same for many proxies. */
const known = new WeakMap<Observers, WeakMap<XdsResource, Cut>>();

function cutFor(resource: XdsResource, observers: Observers): Cut {
  const cuts = known.get(observers) ?? new WeakMap<XdsResource, Cut>();
  known.set(observers, cuts);
  const made = cuts.get(resource) ?? cut(resource, observers);
  cuts.set(resource, made);
  return made;
}

/** What comes from the mesh is the server's side; whatever else a proxy listens for is the caller's, clients of an edge too (Istio). */
function cut({ name, bytes }: XdsResource, observers: Observers): Cut {
  const side: Side = isInboundName(name) ? 'SERVER' : 'CLIENT';
  const own: Uint8Array[] = [];
  const chains: ObservedChain[] = [];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [field, wireType] = reader.tag();
    const content = reader.skip(wireType, field);
    if (CHAIN_FIELDS.has(field)) chains.push(observedChain(field, content, { side, observers }));
    else own.push(bytes.subarray(start, reader.pos));
  }
  return { own: Buffer.concat(own), chains };
}

function metadataField(filterMetadata: JsonObject): Uint8Array {
  return toBinary(ListenerSchema, create(ListenerSchema, { metadata: { filterMetadata: filterMetadata as Record<string, JsonObject> } }));
}
