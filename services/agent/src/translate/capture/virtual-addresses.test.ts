import { expect, test } from 'vitest';
import { parseVirtualRange, rangeText, VIRTUAL_RANGE, virtualAddresses } from './virtual-addresses.ts';

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `s${i}.shop.svc.clusterset.local`);

test('an address is the same whoever computes it, in whatever order, and within the range', () => {
  const some = names(3000);
  const given = virtualAddresses(some);
  expect(virtualAddresses([...some].reverse())).toEqual(given);
  expect(new Set(given.values()).size).toBe(3000);
  expect([...given.values()].every((address) => /^240\.2(4\d|5[0-5])\./.test(address))).toBe(true);
  // Pinned: another address after an upgrade would break every connection made by a cached answer.
  expect(virtualAddresses(['reviews.bookinfo.svc.clusterset.local']).get('reviews.bookinfo.svc.clusterset.local')).toBe('240.247.204.181');
});

test('other names come and go: a name keeps its address unless their hashes meet', () => {
  const few = virtualAddresses(names(1000));
  const many = virtualAddresses(names(3000));
  const moved = [...few].filter(([name, address]) => many.get(name) !== address);
  expect(moved.length).toBeLessThan(10);
});

test('names that meet get addresses of their own, and a full range gives no address twice', () => {
  const narrow = parseVirtualRange('10.250.1.0/24');
  const given = virtualAddresses(names(300), narrow);
  expect(given.size).toBe(254);
  expect(new Set(given.values()).size).toBe(254);
  expect(given.values().every((address) => address.startsWith('10.250.1.') && !address.endsWith('.0') && !address.endsWith('.255'))).toBe(
    true,
  );
});

test('reads ranges, and refuses what is none', () => {
  expect(rangeText(VIRTUAL_RANGE)).toBe('240.240.0.0/12');
  expect(parseVirtualRange('240.240.0.0/16')).toEqual({ base: 4042260480, prefix: 16 });
  for (const bad of ['240.240.0.0', '240.240.0.1/16', '240.256.0.0/16', '240.240.0.0/30', 'fd00::/64'])
    expect(parseVirtualRange(bad)).toBeUndefined();
});

test('a held address stays its name’s, whoever else would come by it first, of the range or not', () => {
  const [one, other] = ['b.shop.svc.clusterset.local', 'a.shop.svc.clusterset.local'] as const;
  const wanted = virtualAddresses([other]).get(other) ?? '';
  const held = new Map([
    [one, wanted],
    ['c.shop.svc.clusterset.local', '10.0.0.1'],
  ]);
  const given = virtualAddresses([one, other], VIRTUAL_RANGE, held);
  expect(given.get(one)).toBe(wanted);
  expect(given.get(other)).not.toBe(wanted);
  expect(given.get('c.shop.svc.clusterset.local')).toBe('10.0.0.1');
});
