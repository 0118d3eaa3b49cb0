/** Where the hub may be sent by whoever may write resources: to the public Internet, unless its operator says otherwise (SSRF). */
import { lookup as lookUpAll } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** Every address of a name must be public: of several, one that is not could be the one that is taken. `forbidden` says why, and the way out. */
export function publicLookup(forbidden: (address: string) => string): LookupFunction {
  return (hostname, options, callback) => {
    lookUpAll(hostname, { ...options, all: true }, (error, addresses) => {
      const bad = error === null ? addresses.find(({ address }) => !isPublic(address)) : undefined;
      const problem = error ?? (bad === undefined ? null : new ForbiddenAddress(forbidden(bad.address)));
      if (problem !== null) return callback(problem, '', 0);
      const [first] = addresses;
      if (options.all === true) callback(null, addresses);
      else callback(null, first?.address ?? '', first?.family);
    });
  };
}

/** The hub does not ask there. */
export class ForbiddenAddress extends Error {}

const SPECIAL = new BlockList();
for (const [net, bits] of [
  ...[
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
  ],
  ...[
    ['192.0.0.0', 24],
    ['192.0.2.0', 24],
    ['192.168.0.0', 16],
    ['198.18.0.0', 15],
    ['198.51.100.0', 24],
    ['203.0.113.0', 24],
  ],
  ...[
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
  ],
] as const)
  SPECIAL.addSubnet(net, bits, 'ipv4');
/** Of IPv6 what is not global unicast, and what carries an address of IPv4 within. */
const GLOBAL = new BlockList();
GLOBAL.addSubnet('2000::', 3, 'ipv6');
for (const [net, bits] of [
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2001::', 32],
] as const)
  SPECIAL.addSubnet(net, bits, 'ipv6');

/** PURE: whether an address is of the public Internet (IANA's registries of special-purpose addresses). */
export function isPublic(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !SPECIAL.check(address, 'ipv4');
  return family === 6 && GLOBAL.check(address, 'ipv6') && !SPECIAL.check(address, 'ipv6');
}
