/** Bare names of services: captured programs resolve `reviews` by their resolver's search list, and then ask for the host `reviews`. Pure. */

import { portOfHost, renamedHost } from '../routes/renamed-hosts.ts';
import type { EncodedHost } from '../routes/route-config.ts';

/**
 * The hosts, and those of the caller's namespace once more by their bare names, as Istio has it. They come last, so that what all
 * callers share stays as it was encoded for all.
 */
export function withBareNames(hosts: readonly EncodedHost[], namespace: string): readonly EncodedHost[] {
  const taken = new Set(hosts.flatMap(({ domains }) => domains.filter((domain) => !domain.includes('.'))));
  const bare = hosts.flatMap((host) => {
    const domains = host.domains.flatMap((domain) => bareOf(domain, namespace)).filter((domain) => !taken.has(domain));
    for (const domain of domains) taken.add(domain);
    const [name = ''] = domains;
    return domains.length === 0 ? [] : [renamedHost(host, name.includes(':') ? name : `${name}:${portOfHost(host)}`, domains)];
  });
  const [first, ...rest] = bare;
  return first === undefined ? hosts : [...hosts, { ...first, opensBlock: true }, ...rest];
}

/** `SERVICE.NAMESPACE` and `SERVICE.NAMESPACE:PORT` without the namespace; nothing of any other name. */
function bareOf(domain: string, namespace: string): string[] {
  const dot = domain.indexOf('.');
  const after = `.${namespace}`;
  const rest = domain.slice(dot);
  if (dot < 1 || !rest.startsWith(after) || !/^(:\d+)?$/.test(rest.slice(after.length))) return [];
  return [`${domain.slice(0, dot)}${rest.slice(after.length)}`];
}
