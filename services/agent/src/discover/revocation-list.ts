/** Whether bytes are a certificate revocation list (RFC 5280, 5.1): Envoy refuses all of a secret for one that is not. Pure. */

/** One element of DER (X.690): what it is, and what is in it. */
interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

const [SEQUENCE, INTEGER, BIT_STRING, UTC_TIME, GENERALIZED_TIME, EXTENSIONS] = [0x30, 0x02, 0x03, 0x17, 0x18, 0xa0];

/** Checks the shape; signature and times are Envoy's to judge. */
export function isRevocationList(der: Buffer): boolean {
  const [whole, ...after] = elements(der) ?? [];
  if (whole?.tag !== SEQUENCE || after.length > 0) return false;
  const [list, algorithm, signature, ...more] = elements(whole.content) ?? [];
  if (list?.tag !== SEQUENCE || algorithm?.tag !== SEQUENCE || signature?.tag !== BIT_STRING || more.length > 0) return false;
  return isList(elements(list.content) ?? []);
}

/** Version, algorithm, issuer, this and next update, revoked certificates, extensions; four of them may be missing. */
function isList(parts: readonly Element[]): boolean {
  const rest = parts[0]?.tag === INTEGER ? parts.slice(1) : [...parts];
  const [algorithm, issuer, updated] = rest.splice(0, 3);
  if (algorithm?.tag !== SEQUENCE || issuer?.tag !== SEQUENCE || !isTime(updated)) return false;
  if (isTime(rest[0])) rest.shift();
  if (rest[0]?.tag === SEQUENCE) {
    const revoked = elements(rest[0].content) ?? [];
    if (revoked.length === 0 || !revoked.every(isRevoked)) return false;
    rest.shift();
  }
  const isExtended = rest[0]?.tag === EXTENSIONS;
  if (isExtended) rest.shift();
  return rest.length === 0 && (!isExtended || parts[0]?.tag === INTEGER);
}

function isRevoked({ tag, content }: Element): boolean {
  const [serial, at, extensions, ...more] = elements(content) ?? [];
  const isExtended = extensions === undefined || (extensions.tag === SEQUENCE && extensions.content.length > 0);
  return tag === SEQUENCE && serial?.tag === INTEGER && isTime(at) && isExtended && more.length === 0;
}

function isTime(element: Element | undefined): boolean {
  return element?.tag === UTC_TIME || element?.tag === GENERALIZED_TIME;
}

/** The elements one after the other; undefined when the bytes are no DER. */
function elements(bytes: Buffer): Element[] | undefined {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at + 1] ?? 0x80;
    const digits = first < 0x80 ? 0 : first - 0x80;
    if (first === 0x80 || digits > 4 || at + 2 + digits > bytes.length) return undefined;
    const length = digits === 0 ? first : bytes.readUIntBE(at + 2, digits);
    const start = at + 2 + digits;
    if (start + length > bytes.length) return undefined;
    found.push({ tag: bytes[at] ?? 0, content: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return found;
}
