/** Virtual hosts under other domains than they were encoded with: what they hold is not compiled again. Pure. */
import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { VirtualHostSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { type EncodedHost, encodedHost } from './route-config.ts';

/** A host's other selves, by name and domains: the same object for the same ones. */
const known = new WeakMap<EncodedHost, Map<string, EncodedHost>>();

/** The host under another name and these domains. */
export function renamedHost(host: EncodedHost, name: string, domains: readonly string[]): EncodedHost {
  const selves = known.get(host) ?? new Map<string, EncodedHost>();
  known.set(host, selves);
  const key = [name, ...domains].join(' ');
  const self = selves.get(key) ?? encodedHost({ ...messageOf(host), name, domains: [...domains] });
  selves.set(key, self);
  return self;
}

function messageOf({ field }: EncodedHost): ReturnType<typeof fromBinary<typeof VirtualHostSchema>> {
  const reader = new BinaryReader(field);
  reader.tag();
  return fromBinary(VirtualHostSchema, reader.bytes());
}

/** The port in the name of a virtual host, `HOST:PORT`. */
export function portOfHost({ name }: Pick<EncodedHost, 'name'>): number {
  return Number(name.slice(name.lastIndexOf(':') + 1));
}
