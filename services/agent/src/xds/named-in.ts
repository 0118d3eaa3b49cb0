/**
 * Which names a resource mentions, read from its bytes without knowing its message: every length-delimited field, at any
 * depth and within every `Any`, may be a name. It finds a few too many and misses none, and that is the safe side: a child
 * that is sent once more does no harm, a child that is missing costs 15 s or the certificate (RELIABILITY.md 0.1 E, G4).
 */
import type { XdsResource } from '../snapshot/resource.ts';

const LONGEST_NAME = 512;
const DEEPEST = 32;
/** Every name begins with a letter; most messages begin with the tag of one of their first fields, which is below. */
const FIRST_PRINTABLE = 0x20;

const known = new WeakMap<XdsResource, ReadonlySet<string>>();

/** Every string in the resource that may be a name; scanned once per resource. */
export function namedIn(resource: XdsResource): ReadonlySet<string> {
  const before = known.get(resource);
  if (before !== undefined) return before;
  const { buffer, byteOffset, byteLength } = resource.bytes;
  const names = new NameScan(Buffer.from(buffer, byteOffset, byteLength)).names;
  known.set(resource, names);
  return names;
}

/** One walk through a resource's bytes, by offsets: nothing is cut out of them but names. */
class NameScan {
  readonly names = new Set<string>();
  readonly #bytes: Buffer;
  /** Behind the varint that was read last. */
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#message(0, bytes.length, DEEPEST);
  }

  /** Walks the fields of what may be a message; stops where it turns out not to be one. */
  #message(start: number, end: number, depth: number): void {
    for (let at = start; at < end; ) {
      const tag = this.#varint(at, end);
      if (tag === undefined || tag >>> 3 === 0) return;
      const next = this.#field(tag & 7, end, depth);
      if (next === undefined) return;
      at = next;
    }
  }

  /** The offset after a field of this wire type, whose tag was read last; undefined when the bytes are no message. */
  #field(wireType: number, end: number, depth: number): number | undefined {
    if (wireType === 0) return this.#varint(this.#at, end) === undefined ? undefined : this.#at;
    const length = wireType === 1 ? 8 : wireType === 5 ? 4 : wireType === 2 ? this.#varint(this.#at, end) : undefined;
    if (length === undefined) return undefined;
    const begin = this.#at;
    const next = begin + length;
    if (next > end) return undefined;
    if (wireType === 2 && length > 0) {
      if (length <= LONGEST_NAME && (this.#bytes[begin] ?? 0) >= FIRST_PRINTABLE) this.names.add(this.#bytes.toString('utf8', begin, next));
      if (depth > 0) this.#message(begin, next, depth - 1);
    }
    return next;
  }

  /** Reads a varint; beyond 2^53 the value loses bits, which only ends the scan early in what was no message. */
  #varint(start: number, end: number): number | undefined {
    const last = Math.min(end, start + 10);
    let value = 0;
    for (let at = start, scale = 1; at < last; at += 1, scale *= 128) {
      const byte = this.#bytes[at] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) {
        this.#at = at + 1;
        return value;
      }
    }
    return undefined;
  }
}
