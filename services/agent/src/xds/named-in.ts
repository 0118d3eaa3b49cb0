/**
 * Which names a resource mentions, read from its bytes without knowing its message: every length-delimited field, at any
 * depth and within every `Any`, may be a name. It finds a few too many and misses none, and that is the safe side: a child
 * that is sent once more does no harm, a child that is missing costs 15 s or the certificate (RELIABILITY.md 0.1 E, G4).
 */
import type { XdsResource } from '../snapshot/resource.ts';

const LONGEST_NAME = 512;
const DEEPEST = 32;

const known = new WeakMap<XdsResource, ReadonlySet<string>>();

/** Every string in the resource that may be a name; scanned once per resource. */
export function namedIn(resource: XdsResource): ReadonlySet<string> {
  const before = known.get(resource);
  if (before !== undefined) return before;
  const names = new Set<string>();
  const { buffer, byteOffset, byteLength } = resource.bytes;
  scan(Buffer.from(buffer, byteOffset, byteLength), names, DEEPEST);
  known.set(resource, names);
  return names;
}

/** Walks the fields of what may be a message; stops where it turns out not to be one. */
function scan(bytes: Buffer, names: Set<string>, depth: number): void {
  let at = 0;
  while (at < bytes.length) {
    const tag = varint(bytes, at);
    if (tag === undefined || tag.value >>> 3 === 0) return;
    const next = skip(bytes, tag, (field) => {
      if (field.length <= LONGEST_NAME) names.add(field.toString('utf8'));
      if (depth > 0) scan(field, names, depth - 1);
    });
    if (next === undefined) return;
    at = next;
  }
}

/** The offset after a field; undefined when the bytes are no message. Length-delimited content is handed over. */
function skip(bytes: Buffer, tag: Varint, content: (field: Buffer) => void): number | undefined {
  switch (tag.value & 7) {
    case 0:
      return varint(bytes, tag.end)?.end;
    case 1:
      return within(bytes, tag.end + 8);
    case 5:
      return within(bytes, tag.end + 4);
    case 2: {
      const length = varint(bytes, tag.end);
      const end = length === undefined ? undefined : within(bytes, length.end + length.value);
      if (length === undefined || end === undefined) return undefined;
      if (length.value > 0) content(bytes.subarray(length.end, end));
      return end;
    }
    default:
      return undefined;
  }
}

function within(bytes: Buffer, end: number): number | undefined {
  return end <= bytes.length ? end : undefined;
}

interface Varint {
  readonly value: number;
  readonly end: number;
}

/** Reads a varint; beyond 2^53 the value loses bits, which only ends the scan early in what was no message. */
function varint(bytes: Buffer, start: number): Varint | undefined {
  let value = 0;
  for (let at = start, scale = 1; at < bytes.length && at < start + 10; at += 1, scale *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte & 127) * scale;
    if (byte < 128) return { value, end: at + 1 };
  }
  return undefined;
}
