/** Small protobuf values that every resource is made of. */
import { create, type DescMessage, type JsonObject, type Message, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type Any, AnySchema, type Duration, DurationSchema } from '@bufbuild/protobuf/wkt';
import { type Address, AddressSchema } from '@hawser/xds/generated/envoy/config/core/v3/address_pb.ts';
import { ApiVersion, type ConfigSource, ConfigSourceSchema } from '@hawser/xds/generated/envoy/config/core/v3/config_source_pb.ts';
import { TypedStructSchema } from '@hawser/xds/generated/xds/type/v3/typed_struct_pb.ts';

/**
 * The one ConfigSource of the product. Its bytes never change: Envoy takes other bytes for another subscription and
 * serves without the secret until it is pushed again (RELIABILITY.md 0.1 G4).
 */
export const ADS: ConfigSource = create(ConfigSourceSchema, {
  resourceApiVersion: ApiVersion.V3,
  configSourceSpecifier: { case: 'ads', value: {} },
});

/** What a message is created from, without the message itself: it can be spread. */
export type Init<Desc extends DescMessage> = Exclude<MessageInitShape<Desc>, Message>;

/** Packs a message into `Any`. */
export function packed<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any {
  return create(AnySchema, { typeUrl: `type.googleapis.com/${schema.typeName}`, value: toBinary(schema, create(schema, init)) });
}

/** A named extension with its configuration, as `typed_config` has it. */
export function extension<Desc extends DescMessage>(
  name: string,
  schema: Desc,
  init: MessageInitShape<Desc>,
): { name: string; configType: { case: 'typedConfig'; value: Any } } {
  return { name, configType: { case: 'typedConfig', value: packed(schema, init) } };
}

/** A duration of whole milliseconds. */
export function millis(ms: number): Duration {
  return create(DurationSchema, { seconds: BigInt(Math.floor(ms / 1000)), nanos: Math.round(ms % 1000) * 1_000_000 });
}

/** A TCP address. */
export function socketAddress(address: string, port: number): Address {
  return create(AddressSchema, {
    address: { case: 'socketAddress', value: { address, portSpecifier: { case: 'portValue', value: port } } },
  });
}

/** A Unix domain socket by its path, with permissions unless they are to be the system's own; `@NAME` is an abstract one. */
export function pipeAddress(path: string, mode = 0): Address {
  return create(AddressSchema, { address: { case: 'pipe', value: { path, mode } } });
}

/** `IP:PORT`, with brackets around IPv6. */
export function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Splits `IP:PORT`; undefined when it is not one. */
export function parseHostPort(text: string): { address: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]+)):([0-9]{1,5})$/.exec(text);
  const address = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return address === undefined || port < 1 || port > 65535 ? undefined : { address, port };
}

/** A named extension that Envoy knows and our copy of its API does not: its configuration as JSON, in a TypedStruct. */
export function structured(name: string, typeName: string, value: JsonObject): ReturnType<typeof extension> {
  return extension(name, TypedStructSchema, { typeUrl: `type.googleapis.com/${typeName}`, value });
}

/** The same within the JSON of another one. */
export function structuredJson(name: string, typeName: string, value: JsonObject): JsonObject {
  const typed = { '@type': 'type.googleapis.com/xds.type.v3.TypedStruct', type_url: `type.googleapis.com/${typeName}`, value };
  return { name, typed_config: typed };
}

/** A range of addresses: `IP` or `IP/BITS`. */
export function cidrRange(text: string): { addressPrefix: string; prefixLen: number } {
  const [address = '', length] = text.split('/');
  return { addressPrefix: address, prefixLen: length === undefined ? (address.includes(':') ? 128 : 32) : Number(length) };
}
