/** Addresses of IPv6 on this machine's loopback, which has but one of them. Wants root. */
import { execFileSync } from 'node:child_process';

/** Gives loopback these addresses; returns what takes them away again. */
export function openIpv6(addresses: readonly string[]): () => void {
  // What a run that was killed left behind is as good.
  for (const address of addresses) ip('replace', address);
  return () => {
    for (const address of addresses) ip('delete', address);
  };
}

function ip(action: 'replace' | 'delete', address: string): void {
  execFileSync('ip', ['address', action, `${address}/128`, 'dev', 'lo'], { stdio: ['ignore', 'ignore', 'pipe'] });
}
