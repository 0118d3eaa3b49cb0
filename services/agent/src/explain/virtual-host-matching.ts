/** Which virtual host of a route configuration takes a host, by Envoy's rules. Pure. */
import type { VirtualHost } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';

/** A virtual host and the domain by which it was found. */
export interface FoundHost {
  readonly host: VirtualHost;
  readonly domain: string;
}

/** Envoy looks for the exact name, then the longest `*.suffix`, then the longest `prefix.*`, then `*`; case does not count. */
export function virtualHostFor(hosts: readonly VirtualHost[], authority: string): FoundHost | undefined {
  const wanted = authority.toLowerCase();
  const all = hosts.flatMap((host) => host.domains.map((domain) => ({ host, domain, text: domain.toLowerCase() })));
  const exact = all.find(({ text }) => text === wanted);
  if (exact !== undefined) return exact;
  const suffixes = all.filter(
    ({ text }) => text.length > 1 && text.startsWith('*') && wanted.length > text.length - 1 && wanted.endsWith(text.slice(1)),
  );
  const prefixes = all.filter(
    ({ text }) => text.length > 1 && text.endsWith('*') && wanted.length > text.length - 1 && wanted.startsWith(text.slice(0, -1)),
  );
  return longest(suffixes) ?? longest(prefixes) ?? all.find(({ text }) => text === '*');
}

function longest<T extends { readonly text: string }>(found: readonly T[]): T | undefined {
  return found.toSorted((a, b) => b.text.length - a.text.length)[0];
}
