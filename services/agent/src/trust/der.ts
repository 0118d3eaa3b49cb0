/** The part of DER that a leaf certificate is written in (ITU-T X.690): a tag, a length, and what is in it. */

/** Tags, as X.690 and RFC 5280 number them. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One element. */
export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const length = content.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(length)]), ...content]);
}

/** A sequence. */
export function sequence(...content: readonly Uint8Array[]): Buffer {
  return der(TAG.sequence, ...content);
}

/** A bit string without unused bits. */
export function bitString(content: Uint8Array): Buffer {
  return der(TAG.bitString, Buffer.from([0]), content);
}

/** A moment, to the second: UTCTime until 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5). */
export function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/\.\d+Z$|[-:T]/g, '');
  return digits < '2050' ? der(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`)) : der(TAG.generalizedTime, Buffer.from(`${digits}Z`));
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  if (length < 0x100) return [0x81, length];
  if (length < 0x10000) return [0x82, length >> 8, length & 0xff];
  throw new RangeError(`${length} bytes are more than a certificate has`);
}
