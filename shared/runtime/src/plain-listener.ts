import { BlockList, isIPv6 } from 'node:net';
import { AppError } from './app-error.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Says yes to listening in plain text beyond this machine, where something else protects the network. */
const OVERRIDE = 'HAWSER_ALLOW_PLAINTEXT';

/**
 * Doors without TLS are for loopback addresses: throws `plaintext-refused` for any other, unless `HAWSER_ALLOW_PLAINTEXT=1`.
 * `flag` is the setting that the address came from.
 */
export function requireLoopback(address: string, flag: string, env: NodeJS.ProcessEnv = process.env): void {
  const isLoopback = address === 'localhost' || loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  if (isLoopback || env[OVERRIDE] === '1') return;
  throw new AppError(
    'plaintext-refused',
    `${flag} is ${address}: tokens would cross the network in plain text; listen on a loopback address behind a TLS proxy, or set ${OVERRIDE}=1 where the network itself is protected`,
  );
}
