/** Virtual addresses: what a name of the mesh resolves to. Pure; the same names in the same range, the same addresses everywhere. */
import { ipv4Twin, ipv6TwinRange } from '@hawser/model/virtual-ipv6.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';

/** An IPv4 range of virtual addresses: none of them is on any network. */
export interface VirtualRange {
  /** First address of the range, as a number. */
  readonly base: number;
  /** Length of its prefix, 8 to 24. */
  readonly prefix: number;
}

/** 240.240.0.0/12, within class E: a million addresses, so that two names seldom want the same one. */
export const VIRTUAL_RANGE: VirtualRange = { base: numberOf([240, 240, 0, 0]), prefix: 12 };

const NONE_HELD: ReadonlyMap<string, string> = new Map();

/** Reads `A.B.C.D/PREFIX`; undefined when it is no range of 256 addresses or more that begins at its first. */
export function parseVirtualRange(text: string): VirtualRange | undefined {
  const [, dotted = '', length = ''] = /^([0-9.]+)\/([0-9]{1,2})$/.exec(text) ?? [];
  const parts = dotted.split('.').map(Number);
  const prefix = Number(length);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part > 255) || prefix < 8 || prefix > 24) return undefined;
  const base = numberOf(parts);
  return base % 2 ** (32 - prefix) === 0 ? { base, prefix } : undefined;
}

/** `A.B.C.D/PREFIX`. */
export function rangeText({ base, prefix }: VirtualRange): string {
  return `${textOf(base)}/${prefix}`;
}

/**
 * Gives each name the address that its hash picks, the next free one when a name before it in the alphabet has it. A name keeps its
 * address whatever other names come and go, but for those whose hashes meet, and of those the ones that are `held` (by name), whose
 * addresses nobody else gets; a held one may be outside of the range. Names beyond the range's size get none.
 */
export function virtualAddresses(
  names: Iterable<string>,
  range: VirtualRange = VIRTUAL_RANGE,
  held: ReadonlyMap<string, string> = NONE_HELD,
): Map<string, string> {
  // The first address and the last are nobody's, as in any network.
  const size = 2 ** (32 - range.prefix) - 2;
  const addresses = new Map<string, string>();
  const taken = new Set<number>();
  for (const [name, address] of held) {
    const slot = slotOf(address, range);
    if (slot !== undefined && taken.has(slot)) continue;
    if (slot !== undefined) taken.add(slot);
    addresses.set(name, address);
  }
  const kept = new Set(addresses.keys());
  const others = [...new Set(names)].filter((name) => !kept.has(name));
  for (const name of others.sort().slice(0, Math.max(0, size - taken.size))) {
    let slot = hashOf(name) % size;
    while (taken.has(slot)) slot = (slot + 1) % size;
    taken.add(slot);
    addresses.set(name, textOf(range.base + 1 + slot));
  }
  return addresses;
}

/** Whether an address, of either family, is one that stands for a name, and not for a place. */
export function isVirtual(address: string, range: VirtualRange): boolean {
  return slotOf(ipv4Twin(address) ?? address, range) !== undefined;
}

/** Both ranges as text: of IPv4, and of the twins of its addresses. */
export function rangeTexts(range: VirtualRange): readonly [ipv4: string, ipv6: string] {
  return [rangeText(range), ipv6TwinRange(rangeText(range))];
}

/** Where an address is in the range; undefined where it is not one of it that a name may have. */
function slotOf(address: string, { base, prefix }: VirtualRange): number | undefined {
  const parts = address.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return undefined;
  const slot = numberOf(parts) - base - 1;
  return slot >= 0 && slot < 2 ** (32 - prefix) - 2 ? slot : undefined;
}

function hashOf(name: string): number {
  return Number.parseInt(sha256(name).slice(0, 12), 16);
}

function numberOf(parts: readonly number[]): number {
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

function textOf(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
