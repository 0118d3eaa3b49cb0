/** Reads the fields of a request where they stand, without a copy (protobuf encoding). All throw for bytes that are no message. */

/** A number, and where it ends. */
export interface Varint {
  readonly value: number;
  readonly end: number;
}

/** Reads a varint of at most 32 bits, which tags and lengths are; longer ones of unknown fields lose their high bits. */
export function varint(bytes: Buffer, start: number): Varint {
  let value = 0;
  for (let at = start, shift = 0; at < bytes.length && at < start + 10; at += 1, shift += 7) {
    const byte = bytes[at] ?? 0;
    if (shift < 32) value |= (byte & 127) << shift;
    if (byte < 128) return { value: value >>> 0, end: at + 1 };
  }
  throw new Error(`a number that does not end, at byte ${start}`);
}

/** The field behind a tag: where it ends, and its content if it is length-delimited. */
export function fieldAt(bytes: Buffer, tag: Varint): { readonly end: number; readonly content: Buffer | undefined } {
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
