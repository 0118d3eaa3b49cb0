/** What the messages of both variants are made of, so that their bytes are put together in one place (discovery.proto). */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { XdsType } from '@hawser/wire/messages.ts';
import { sizeOf, type XdsResource } from '../snapshot/resource.ts';
import { PUSH_ORDER, typeUrlOf } from './type-urls.ts';

/** Field numbers that `DiscoveryResponse` and `DeltaDiscoveryResponse` have in common. */
const RESPONSE = { resources: 2, typeUrl: 4, nonce: 5 } as const;
const ANY = { typeUrl: 1, value: 2 } as const;

const typeFields = new Map(PUSH_ORDER.map((type) => [type, stringField(RESPONSE.typeUrl, typeUrlOf(type))]));

/** A field of text, encoded. */
export function stringField(field: number, text: string): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).string(text).finish();
}

/** The fields that end every response: its type and its nonce. */
export function typeAndNonce(type: XdsType, nonce: string): Uint8Array[] {
  const typeField = typeFields.get(type);
  return [...(typeField === undefined ? [] : [typeField]), stringField(RESPONSE.nonce, nonce)];
}

/** Writes the resource as a field that is an `Any`. */
export function writeAny(writer: BinaryWriter, field: number, resource: XdsResource): BinaryWriter {
  const any = anyHead(resource);
  writer
    .tag(field, WireType.LengthDelimited)
    .uint32(any.length + sizeOf(resource))
    .raw(any);
  for (const piece of resource.pieces ?? [resource.bytes]) writer.raw(piece);
  return writer;
}

/** An `Any` of the resource, up to its bytes, which follow. */
export function anyHead(resource: XdsResource): Uint8Array {
  const writer = new BinaryWriter().tag(ANY.typeUrl, WireType.LengthDelimited).string(typeUrlOf(resource.type));
  return writer.tag(ANY.value, WireType.LengthDelimited).uint32(sizeOf(resource)).finish();
}

/** The beginning of an element of `resources`, of which `rest` bytes follow. */
export function elementHead(beginning: Uint8Array, rest: number): Uint8Array {
  const writer = new BinaryWriter().tag(RESPONSE.resources, WireType.LengthDelimited);
  return writer
    .uint32(beginning.length + rest)
    .raw(beginning)
    .finish();
}

/** Encodes each resource as an element of a response's `resources`, at its first use. `write` writes what belongs into the field. */
export function resourceFrames(write: (writer: BinaryWriter, field: number, resource: XdsResource) => BinaryWriter) {
  const frames = new WeakMap<XdsResource, Uint8Array>();
  return (resource: XdsResource): Uint8Array => {
    const known = frames.get(resource);
    if (known !== undefined) return known;
    const frame = write(new BinaryWriter(), RESPONSE.resources, resource).finish();
    frames.set(resource, frame);
    return frame;
  };
}
