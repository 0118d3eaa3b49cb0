/**
 * A state-of-the-world request as the state machine reads it. Every request, each ACK too, repeats all names of its type;
 * those are compared as bytes with the request before and only read when they differ (discovery.proto, `DiscoveryRequest`).
 */
import { fromBinary } from '@bufbuild/protobuf';
import { type Node, NodeSchema } from '@hawser/xds/generated/envoy/config/core/v3/base_pb.ts';
import { StatusSchema } from '@hawser/xds/generated/google/rpc/status_pb.ts';
import { refusalText } from './delta-request.ts';

/** The part of a `DiscoveryRequest` that concerns one type's subscription. */
export interface SotwRequest {
  /** The version the client has; of an earlier stream in the first request of a type. */
  readonly version: string;
  /** All names that it wants from now on; the same array as before when they did not change. */
  readonly names: readonly string[];
  /** Nonce of the latest response of the type; empty when there was none. */
  readonly nonce: string;
  /** Set for a NACK, and only then (xds_protocol: never inferred from versions). */
  readonly error: string | undefined;
}

/** A decoded message. */
export interface SotwMessage {
  readonly typeUrl: string;
  readonly node: Node | undefined;
  readonly request: SotwRequest;
}

const FIELD = { version: 1, node: 2, names: 3, typeUrl: 4, nonce: 5, error: 6 } as const;
const NAMES_TAG = (FIELD.names << 3) | 2;
/** Requests whose names are remembered: one per type that is served, and a little room. */
const REMEMBERED = 8;

interface Run {
  readonly bytes: Buffer;
  readonly names: readonly string[];
}

/** Decodes the messages of one stream; throws for bytes that are no request. */
export class SotwDecoder {
  /** Runs of names, as they stood in earlier requests. */
  readonly #runs: Run[] = [];

  decode(bytes: Buffer): SotwMessage {
    let [version, typeUrl, nonce] = ['', '', ''];
    let names: readonly string[] = [];
    let node: Node | undefined;
    let error: string | undefined;
    for (let at = 0; at < bytes.length; ) {
      const tag = varint(bytes, at);
      if (tag.value === NAMES_TAG) {
        const run = this.#runAt(bytes, at);
        names = names.length === 0 ? run.names : [...names, ...run.names];
        at += run.bytes.length;
        continue;
      }
      const field = fieldAt(bytes, tag);
      at = field.end;
      if (field.content === undefined) continue;
      const number = tag.value >>> 3;
      if (number === FIELD.version) version = field.content.toString('utf8');
      else if (number === FIELD.typeUrl) typeUrl = field.content.toString('utf8');
      else if (number === FIELD.nonce) nonce = field.content.toString('utf8');
      else if (number === FIELD.node) node = fromBinary(NodeSchema, field.content);
      else if (number === FIELD.error) error = refusalText(fromBinary(StatusSchema, field.content));
    }
    return { typeUrl, node, request: { version, names, nonce, error } };
  }

  /** The run of names that starts here: one seen before, or read and remembered. */
  #runAt(bytes: Buffer, start: number): Run {
    for (const run of this.#runs) {
      const end = start + run.bytes.length;
      const same = end <= bytes.length && run.bytes.compare(bytes, start, end) === 0;
      if (same && (end === bytes.length || bytes[end] !== NAMES_TAG)) return run;
    }
    const names: string[] = [];
    let at = start;
    while (at < bytes.length && bytes[at] === NAMES_TAG) {
      const field = fieldAt(bytes, { value: NAMES_TAG, end: at + 1 });
      names.push(field.content?.toString('utf8') ?? '');
      at = field.end;
    }
    const run = { bytes: Buffer.from(bytes.subarray(start, at)), names };
    this.#runs.unshift(run);
    if (this.#runs.length > REMEMBERED) this.#runs.pop();
    return run;
  }
}

interface Varint {
  readonly value: number;
  readonly end: number;
}

/** Reads a varint of at most 32 bits, which tags and lengths are; longer ones of unknown fields lose their high bits. */
function varint(bytes: Buffer, start: number): Varint {
  let value = 0;
  for (let at = start, shift = 0; at < bytes.length && at < start + 10; at += 1, shift += 7) {
    const byte = bytes[at] ?? 0;
    if (shift < 32) value |= (byte & 127) << shift;
    if (byte < 128) return { value: value >>> 0, end: at + 1 };
  }
  throw new Error(`a number that does not end, at byte ${start}`);
}

/** The field behind a tag: where it ends, and its content if it is length-delimited. */
function fieldAt(bytes: Buffer, tag: Varint): { readonly end: number; readonly content: Buffer | undefined } {
  const wireType = tag.value & 7;
  if (tag.value >>> 3 === 0) throw new Error(`field 0, at byte ${tag.end}`);
  if (wireType === 2) {
    const length = varint(bytes, tag.end);
    const end = within(bytes, length.end + length.value);
    return { end, content: bytes.subarray(length.end, end) };
  }
  if (wireType === 0) return { end: varint(bytes, tag.end).end, content: undefined };
  if (wireType === 1 || wireType === 5) return { end: within(bytes, tag.end + (wireType === 1 ? 8 : 4)), content: undefined };
  throw new Error(`wire type ${wireType}, at byte ${tag.end}`);
}

function within(bytes: Buffer, end: number): number {
  if (end > bytes.length) throw new Error(`cut off: ${end} bytes wanted, ${bytes.length} there`);
  return end;
}
