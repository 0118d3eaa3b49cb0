/**
 * State-of-the-world responses put together from parts that were encoded before; only version and nonce differ between the
 * streams that are told the same (discovery.proto, `DiscoveryResponse`).
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { XdsType } from '@hawser/wire/messages.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import { type FramedMessage, framed } from './framed-messages.ts';
import { PUSH_ORDER, typeUrlOf } from './type-urls.ts';

/** What one response says. */
export interface SotwResponse {
  readonly type: XdsType;
  readonly version: string;
  readonly nonce: string;
  /** To be read before the stream is asked again. */
  readonly resources: Iterable<XdsResource>;
  /** The same resources, encoded before, if they were. */
  readonly encoded: readonly Uint8Array[] | undefined;
}

/** Field numbers of `DiscoveryResponse` and `Any`. */
const RESPONSE = { version: 1, resources: 2, typeUrl: 4, nonce: 5 } as const;
const ANY = { typeUrl: 1, value: 2 } as const;

const frames = new WeakMap<XdsResource, Uint8Array>();
const typeFields = new Map(PUSH_ORDER.map((type) => [type, stringField(RESPONSE.typeUrl, typeUrlOf(type))]));

/** The framed message of a response. */
export function encodeSotwResponse(response: SotwResponse): FramedMessage {
  const tail: Uint8Array[] = [];
  const typeField = typeFields.get(response.type);
  if (typeField !== undefined) tail.push(typeField);
  tail.push(stringField(RESPONSE.version, response.version), stringField(RESPONSE.nonce, response.nonce));
  return framed(response.encoded ?? [Buffer.concat(encodeSet(response.resources))], tail);
}

/** The frames of resources; each is encoded at its first use. */
export function encodeSet(resources: Iterable<XdsResource>): Uint8Array[] {
  return Array.from(resources, frameOf);
}

function frameOf(resource: XdsResource): Uint8Array {
  const known = frames.get(resource);
  if (known !== undefined) return known;
  const frame = new BinaryWriter()
    .tag(RESPONSE.resources, WireType.LengthDelimited)
    .fork()
    .tag(ANY.typeUrl, WireType.LengthDelimited)
    .string(typeUrlOf(resource.type))
    .tag(ANY.value, WireType.LengthDelimited)
    .bytes(resource.bytes)
    .join()
    .finish();
  frames.set(resource, frame);
  return frame;
}

function stringField(field: number, text: string): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).string(text).finish();
}
