/**
 * Delta responses put together from parts that were encoded before: each resource's frame is made once and shared by all
 * streams; only the nonce and the removed names differ (discovery.proto, `DeltaDiscoveryResponse`).
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { XdsType } from '@hawser/wire/messages.ts';
import { sizeOf, type XdsResource } from '../snapshot/resource.ts';
import { type FramedMessage, framed } from './framed-messages.ts';
import { anyHead, elementHead, resourceFrames, stringField, typeAndNonce, writeAny } from './response-fields.ts';

/** What one response says. */
export interface DeltaResponse {
  readonly type: XdsType;
  readonly nonce: string;
  readonly resources: readonly XdsResource[];
  readonly removed: readonly string[];
}

/** Field numbers of `DeltaDiscoveryResponse` and `Resource`. */
const REMOVED = 6;
const RESOURCE = { version: 1, resource: 2, name: 3 } as const;

interface Body {
  readonly resources: readonly XdsResource[];
  readonly bytes: Buffer;
}

/** The last body of each type: proxies that connect one after another are told the same. */
const lastBodies = new Map<XdsType, Body>();

/** The framed message of a response. */
export function encodeResponse({ type, nonce, resources, removed }: DeltaResponse): FramedMessage {
  const tail = [...typeAndNonce(type, nonce), ...removed.map((name) => stringField(REMOVED, name))];
  return framed(resources.length < FEW ? resources.flatMap(piecesOf) : [bodyOf(type, resources)], tail);
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
export const frameOf = resourceFrames((writer, field, resource) => {
  writer.tag(field, WireType.LengthDelimited).fork();
  writer.tag(RESOURCE.version, WireType.LengthDelimited).string(resource.version);
  writeAny(writer, RESOURCE.resource, resource);
  return writer.tag(RESOURCE.name, WireType.LengthDelimited).string(resource.name).join();
});

/** Larger resources are not copied into a frame: theirs is two pieces around their own. */
const LARGE_BYTES = 64 * 1024;

function piecesOf(resource: XdsResource): readonly Uint8Array[] {
  const { name, version } = resource;
  const size = sizeOf(resource);
  if (size < LARGE_BYTES) return [frameOf(resource)];
  const any = anyHead(resource);
  const inner = new BinaryWriter().tag(RESOURCE.version, WireType.LengthDelimited).string(version);
  const upToBytes = inner
    .tag(RESOURCE.resource, WireType.LengthDelimited)
    .uint32(any.length + size)
    .raw(any)
    .finish();
  const end = stringField(RESOURCE.name, name);
  return [elementHead(upToBytes, size + end.length), ...grouped(resource), end];
}

/** So many pieces go out in one: every piece is a write of its own on every stream, and joining all would cost a change its whole resource. */
const GROUP = 8;

interface Group {
  readonly pieces: readonly Uint8Array[];
  readonly bytes: Uint8Array;
}

/** By its first piece: a change of another piece joins its own group alone. */
const groups = new WeakMap<Uint8Array, Group>();

function grouped(resource: XdsResource): readonly Uint8Array[] {
  const { pieces } = resource;
  if (pieces === undefined) return [resource.bytes];
  // The first piece is what differs with every change.
  const [first, ...rest] = pieces;
  const count = Math.ceil(rest.length / GROUP);
  const all = Array.from({ length: count }, (_, index) => groupOf(rest.slice(index * GROUP, (index + 1) * GROUP)));
  return first === undefined ? all : [first, ...all];
}

function groupOf(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  const known = first === undefined ? undefined : groups.get(first);
  if (known?.pieces.length === pieces.length && known.pieces.every((piece, index) => piece === pieces[index])) return known.bytes;
  const bytes = Buffer.concat(pieces);
  if (first !== undefined) groups.set(first, { pieces, bytes });
  return bytes;
}
