import { BlockList, isIPv6 } from 'node:net';
import { AppError } from './app-error.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Says yes to plain text beyond this machine, where something else protects the network. */
const OVERRIDE = 'HAWSER_ALLOW_PLAINTEXT';

/** Whether an address, or the host of a URL (IPv6 with or without brackets), never leaves this machine; names other than `localhost` may. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  return address === 'localhost' || loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** Whether the operator said that the network is protected otherwise (`HAWSER_ALLOW_PLAINTEXT=1`). */
export function plaintextAllowed(env: NodeJS.ProcessEnv = process.env): boolean {
  return env[OVERRIDE] === '1';
}

/**
 * Doors without TLS are for loopback addresses: throws `plaintext-refused` for any other, unless `HAWSER_ALLOW_PLAINTEXT=1`.
 * `flag` is the setting that the address came from, `wayOut` what to do instead.
 */
export function requireLoopback(
  address: string,
  flag: string,
  { env = process.env, wayOut = 'use TLS (--tls on), or a loopback address' }: { env?: NodeJS.ProcessEnv; wayOut?: string } = {},
): void {
  if (isLoopback(address) || plaintextAllowed(env)) return;
  throw new AppError(
    'plaintext-refused',
    `${flag} is ${address}: secrets would cross the network in plain text; ${wayOut}, or set ${OVERRIDE}=1 where the network itself is protected`,
  );
}
