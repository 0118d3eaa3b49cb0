/** The machine's own resolvers, as its `resolv.conf` names them now. */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';

/** Where a resolver listens. */
export interface ResolverAddress {
  readonly address: string;
  readonly port: number;
}

/** PURE: the `nameserver` lines of a resolv.conf(5); the resolver on the machine itself when there is none. */
export function nameserversIn(text: string): ResolverAddress[] {
  const found = text.split('\n').flatMap((line) => {
    const address = /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? '';
    return isIP(address.split('%')[0] ?? '') === 0 ? [] : [{ address, port: 53 }];
  });
  return found.length > 0 ? found : [{ address: '127.0.0.1', port: 53 }];
}

/** How often the file is looked at, milliseconds: networks come and go. */
const LOOK_MS = 5_000;

/** Reads the file again when it changed. One that cannot be read leaves what was known. */
export function hostResolvers(path = '/etc/resolv.conf', now: () => number = Date.now): () => readonly ResolverAddress[] {
  let known = nameserversIn('');
  let changedAt = -1;
  let lookedAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (now() - lookedAt < LOOK_MS) return known;
    lookedAt = now();
    try {
      const { mtimeMs } = statSync(path);
      if (mtimeMs !== changedAt) known = nameserversIn(readFileSync(path, 'utf8'));
      changedAt = mtimeMs;
    } catch {
      // Rewritten at this moment, perhaps: the next look finds it.
    }
    return known;
  };
}
