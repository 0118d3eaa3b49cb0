import type { Resource } from '@hawser/model/resource.ts';
import { ipv6Twin } from '@hawser/model/virtual-ipv6.ts';
import { expect, it } from 'vitest';
import { VIRTUAL_RANGE, virtualAddresses } from '../translate/capture/virtual-addresses.ts';
import { addressesOf, givenAddresses, heldAddresses, isNatural } from './import-addresses.ts';
import type { ImportState } from './object-states.ts';

const importWith = (ip?: string): ImportState => ({
  ...{ resourceVersion: '1', uid: 'u', generation: 1, labels: {}, annotations: {}, status: undefined },
  spec: ip === undefined ? {} : { ips: [ip] },
});
const host = (name: string) => `${name}.shop.svc.clusterset.local`;

it('imports hold the addresses that they have, in the range, each for one host', () => {
  const imports = [
    ['shop/b', importWith('240.240.0.5')],
    ['shop/a', importWith('240.240.0.5')],
    ['shop/c', importWith('10.0.0.5')],
    ['shop/d', importWith()],
    ['shop/e', importWith('fd00::1')],
    ['shop/f', importWith(ipv6Twin('240.240.0.7'))],
  ] as const;
  expect(heldAddresses(imports, new Map(), VIRTUAL_RANGE)).toEqual(
    new Map([
      [host('a'), '240.240.0.5'],
      [host('f'), '240.240.0.7'],
    ]),
  );
});

it('an import has its address in each of the families, in their order', () => {
  expect(addressesOf('240.240.0.5', undefined)).toEqual(['240.240.0.5']);
  expect(addressesOf('240.240.0.5', ['IPv6', 'IPv4'])).toEqual([ipv6Twin('240.240.0.5'), '240.240.0.5']);
});

it('an address that is kept goes before what somebody wrote', () => {
  const held = heldAddresses([['shop/a', importWith('240.240.0.6')]], new Map([[host('a'), '240.240.0.5']]), VIRTUAL_RANGE);
  expect(held.get(host('a'))).toBe('240.240.0.5');
});

it('new hosts have the addresses that proxies give them, and none that a host of a ServiceEntry or an import has', () => {
  const entry = { kind: 'ServiceEntry', spec: { hosts: ['a.example.com', '*.example.com'] } } as unknown as Resource;
  const world = { self: 'east', shards: new Map([['shop/web', new Map()]]), policies: new Map([['e', entry]]) };
  const natural = virtualAddresses([host('web')]).get(host('web')) ?? '';
  expect(givenAddresses(world, new Map(), VIRTUAL_RANGE).get(host('web'))).toBe(natural);
  expect([...givenAddresses(world, new Map(), VIRTUAL_RANGE).keys()].sort()).toEqual(['a.example.com', host('web')]);
  const given = givenAddresses(world, new Map([[host('other'), natural]]), VIRTUAL_RANGE).get(host('web')) ?? '';
  expect(given).not.toBe(natural);
  expect([isNatural(host('web'), natural, VIRTUAL_RANGE), isNatural(host('web'), given, VIRTUAL_RANGE)]).toEqual([true, false]);
});
