import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isInRange } from './address-range.ts';
import { ipv4Twin, ipv6Twin, ipv6TwinRange } from './virtual-ipv6.ts';

it('an address and its twin tell each other, and the twin is in the twin of the range', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 8, max: 24 }), (address, bits) => {
      expect(isIPv6(ipv6Twin(address))).toBe(true);
      expect(ipv4Twin(ipv6Twin(address))).toBe(address);
      expect(isInRange(ipv6Twin(address), ipv6TwinRange(`${address}/${bits}`))).toBe(true);
    }),
  );
});

it('is of the range that is pinned: another after an upgrade would break what was answered before', () => {
  expect([ipv6Twin('240.247.204.181'), ipv6TwinRange('240.240.0.0/12')]).toEqual([
    'fdfd:ec1a:4d56::f0f7:ccb5',
    'fdfd:ec1a:4d56::f0f0:0/108',
  ]);
  const id = createHash('sha256').update('hawser').digest('hex').slice(0, 10);
  expect(ipv6Twin('240.0.0.1').replaceAll(':', '').startsWith(`fd${id}`)).toBe(true);
  expect(isInRange(ipv6Twin('241.0.0.1'), ipv6TwinRange('240.240.0.0/12'))).toBe(false);
});

it('no other address is a twin', () => {
  for (const other of ['240.240.0.1', 'fd00::1', 'fdfd:ec1a:4d56:1::f0f7:ccb5', 'fdfd:ec1a:4d56::f0f7:ccb5:1', ''])
    expect(ipv4Twin(other)).toBeUndefined();
});
