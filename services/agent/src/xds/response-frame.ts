/**
 * Delta responses put together from parts that were encoded before: each resource's frame is made once and shared by all
 * streams; only the nonce and the removed names differ (discovery.proto, `DeltaDiscoveryResponse`).
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { XdsType } from '@hawser/wire/messages.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import { type FramedMessage, framed } from './framed-messages.ts';
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

interface Body {
  readonly resources: readonly XdsResource[];
  readonly bytes: Buffer;
}

/** The last body of each type: proxies that connect one after another are told the same. */
const lastBodies = new Map<XdsType, Body>();

/** The framed message of a response. */
export function encodeResponse({ type, nonce, resources, removed }: DeltaResponse): FramedMessage {
  const tail: Uint8Array[] = [];
  const typeField = typeFields.get(type);
  if (typeField !== undefined) tail.push(typeField);
  tail.push(stringField(RESPONSE.nonce, nonce));
  for (const name of removed) tail.push(stringField(RESPONSE.removed, name));
  return framed(resources.length < FEW ? resources.map(frameOf) : [bodyOf(type, resources)], tail);
}

/** So few frames are pieces of their own. */
const FEW = 4;

function bodyOf(type: XdsType, resources: readonly XdsResource[]): Buffer {
  const last = lastBodies.get(type);
  if (last !== undefined && isSame(last.resources, resources)) return last.bytes;
  const bytes = Buffer.concat(resources.map(frameOf));
  lastBodies.set(type, { resources, bytes });
  return bytes;
}

function isSame(a: readonly XdsResource[], b: readonly XdsResource[]): boolean {
  return a === b || (a.length === b.length && a.every((resource, index) => b[index] === resource));
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
