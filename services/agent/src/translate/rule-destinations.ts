/** Services that rules lead to: whoever has such rules depends on the shapes of those services. Pure. */
import { hostKey } from '@hawser/model/service-host.ts';
import type { HttpRule } from './virtual-service-rules.ts';

/** Keys of the services that rules forward or mirror to, the own one left out. */
export function destinationKeys(rules: readonly HttpRule[], own: string): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { namespace, rule } of rules) {
    for (const { host } of destinationsIn(rule)) {
      const key = hostKey(host, namespace);
      if (key !== undefined && key !== own) keys.add(key);
    }
  }
  return keys;
}

function destinationsIn({ route = [], mirror, mirrors = [] }: HttpRule['rule']): readonly { readonly host: string }[] {
  const mirrored = mirrors.map(({ destination }) => destination);
  return [...route.map(({ destination }) => destination), ...(mirror === undefined ? [] : [mirror]), ...mirrored];
}
