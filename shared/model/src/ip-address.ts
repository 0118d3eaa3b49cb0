/** IP addresses and prefixes as text. Pure. */

const OCTET = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const V4 = new RegExp(`^${OCTET}(\\.${OCTET}){3}$`);
const GROUP = /^[0-9a-fA-F]{1,4}$/;

/** Whether the text is an IPv4 address in dotted decimal, or an IPv6 address (RFC 4291, section 2.2) without a zone. */
export function isIpAddress(text: string): boolean {
  return V4.test(text) || isIpv6(text);
}

/** Whether the text is an address, a slash and a prefix length. */
export function isCidr(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash < 0) return false;
  const [address, length] = [text.slice(0, slash), text.slice(slash + 1)];
  if (!isIpAddress(address) || !/^(0|[1-9][0-9]{0,2})$/.test(length)) return false;
  return Number(length) <= (address.includes(':') ? 128 : 32);
}

function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (!text.includes(':') || halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1) ?? '';
  const tail = last.includes('.') ? 2 : 1;
  const plain = last.includes('.') ? groups.slice(0, -1) : groups;
  if (last.includes('.') && (!V4.test(last) || text.endsWith('::'))) return false;
  const length = groups.length === 0 ? 0 : groups.length - 1 + tail;
  return plain.every((group) => GROUP.test(group)) && (halves.length === 2 ? length < 8 : length === 8);
}
