/**
 * Delta responses put together from parts that were encoded before: each resource's frame is made once and shared by all
 * streams; only the nonce and the removed names differ (discovery.proto, `DeltaDiscoveryResponse`).
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { XdsType } from '@hawser/wire/messages.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import { PUSH_ORDER, typeUrlOf } from './type-urls.ts';

/** What one response says. */
export interface DeltaResponse {
  readonly type: XdsType;
  readonly nonce: string;
  readonly resources: readonly XdsResource[];
  readonly removed: readonly string[];
}

/** Field numbers of `DeltaDiscoveryResponse`, `Resource` and `Any`. */
const RESPONSE = { resources: 2, typeUrl: 4, nonce: 5, removed: 6 } as const;
const RESOURCE = { version: 1, resource: 2, name: 3 } as const;
const ANY = { typeUrl: 1, value: 2 } as const;

const frames = new WeakMap<XdsResource, Uint8Array>();
const typeFields = new Map(PUSH_ORDER.map((type) => [type, stringField(RESPONSE.typeUrl, typeUrlOf(type))]));

/** The bytes of a response. */
export function encodeResponse(response: DeltaResponse): Buffer {
  const parts = bodyOf(response);
  const typeField = typeFields.get(response.type);
  if (typeField !== undefined) parts.push(typeField);
  parts.push(stringField(RESPONSE.nonce, response.nonce));
  for (const name of response.removed) parts.push(stringField(RESPONSE.removed, name));
  return Buffer.concat(parts);
}

/** The last large set of resources of each type, put together: proxies that connect are told the same one after another. */
const bodies = new Map<XdsType, { readonly resources: readonly XdsResource[]; readonly body: Buffer }>();
/** Smaller sets are put together again each time. */
const LARGE_SET = 16;

function bodyOf({ type, resources }: DeltaResponse): Uint8Array[] {
  if (resources.length < LARGE_SET) return resources.map(frameOf);
  const known = bodies.get(type);
  const isSame = known?.resources.length === resources.length && resources.every((resource, index) => known.resources[index] === resource);
  const body = isSame ? known.body : Buffer.concat(resources.map(frameOf));
  if (!isSame) bodies.set(type, { resources, body });
  return [body];
}

/** One resource as a field of the response: {version, Any, name}, encoded at its first use. */
export function frameOf(resource: XdsResource): Uint8Array {
  const known = frames.get(resource);
  if (known !== undefined) return known;
  const frame = new BinaryWriter()
    .tag(RESPONSE.resources, WireType.LengthDelimited)
    .fork()
    .tag(RESOURCE.version, WireType.LengthDelimited)
    .string(resource.version)
    .tag(RESOURCE.resource, WireType.LengthDelimited)
    .fork()
    .tag(ANY.typeUrl, WireType.LengthDelimited)
    .string(typeUrlOf(resource.type))
    .tag(ANY.value, WireType.LengthDelimited)
    .bytes(resource.bytes)
    .join()
    .tag(RESOURCE.name, WireType.LengthDelimited)
    .string(resource.name)
    .join()
    .finish();
  frames.set(resource, frame);
  return frame;
}

function stringField(field: number, text: string): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).string(text).finish();
}
