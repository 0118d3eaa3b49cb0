/** Ranges of IP addresses as policy writes them. Pure. */

/** Whether a text is `ADDRESS` or `ADDRESS/BITS`, of either version of IP. */
export function isAddressRange(text: string): boolean {
  const [, address = '', bits] = /^([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const most = isV4(address) ? 32 : isV6(address) ? 128 : -1;
  return most >= 0 && Number(bits ?? 0) <= most;
}

/** Whether an address, or all of a range, is in a range, of which both are as `isAddressRange` takes them. */
export function isInRange(address: string, range: string): boolean {
  const [own, wanted] = [prefixOf(address), prefixOf(range)];
  return own.version === wanted.version && own.bits.startsWith(wanted.bits);
}

/** The bits that all addresses of a range begin with; the version by their number in all. */
function prefixOf(range: string): { readonly version: number; readonly bits: string } {
  const [address = '', count] = range.split('/');
  const bits = bitsOf(address);
  return { version: bits.length, bits: bits.slice(0, Number(count ?? bits.length)) };
}

function isV4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}

function isV6(text: string): boolean {
  return text.includes(':') && groupsOf(text).length === 8 && groupsOf(text).every((group) => /^[0-9a-fA-F]{1,4}$/.test(group));
}

/** The eight groups of an IPv6 address, what `::` leaves out filled in; another number of them when it is none. */
function groupsOf(text: string): string[] {
  const [head = '', tail, ...more] = text.split('::');
  if (more.length > 0) return [];
  const [first, last] = [split(head), tail === undefined ? [] : split(tail)];
  return tail === undefined ? first : [...first, ...Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0'), ...last];
}

function split(text: string): string[] {
  return text === '' ? [] : text.split(':');
}

function bitsOf(address: string): string {
  if (isV4(address))
    return address
      .split('.')
      .map((part) => Number(part).toString(2).padStart(8, '0'))
      .join('');
  return groupsOf(address)
    .map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0'))
    .join('');
}
