/** IPv6 twins of virtual addresses: a name has the same place in both families, and either address tells the other. Pure. */

/**
 * Unique local addresses (RFC 4193) whose 40 bits of global id are the first of SHA-256 of `hawser`; what is virtual has the subnet 0,
 * and its IPv4 address for the last 32 bits.
 */
const PREFIX = 'fdfd:ec1a:4d56::';
const TWIN = /^fdfd:ec1a:4d56::([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/** The IPv6 address (RFC 5952) of the name that has this virtual IPv4 address. */
export function ipv6Twin(ipv4: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number);
  return `${PREFIX}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

/** The IPv4 address of an IPv6 twin; undefined of any other address. */
export function ipv4Twin(address: string): string | undefined {
  const [, high, low] = TWIN.exec(address) ?? [];
  if (high === undefined || low === undefined) return undefined;
  return [high, low].flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]).join('.');
}

/** The range of the twins of a range `A.B.C.D/BITS`. */
export function ipv6TwinRange(range: string): string {
  const [address = '', bits] = range.split('/');
  return `${ipv6Twin(address)}/${96 + Number(bits ?? 32)}`;
}
