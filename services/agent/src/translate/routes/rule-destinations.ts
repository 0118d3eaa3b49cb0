/** Services that rules lead to: whoever has such rules depends on the shapes of those services. Pure. */
import { hostKey } from '@hawser/model/service-host.ts';
import type { ConnectionRule, HttpRule } from './virtual-service-rules.ts';

/** Keys of the services that rules forward or mirror to, the own one left out. */
export function destinationKeys({ rules, connections }: RulesOfBoth, own: string): ReadonlySet<string> {
  const keys = new Set<string>();
  const add = (host: string, namespace: string): void => {
    const key = hostKey(host, namespace);
    if (key !== undefined && key !== own) keys.add(key);
  };
  for (const { namespace, rule } of rules) for (const { host } of destinationsIn(rule)) add(host, namespace);
  for (const { namespace, route } of connections) for (const { destination } of route) add(destination.host, namespace);
  return keys;
}

/** Rules for HTTP and for other connections. */
export interface RulesOfBoth {
  readonly rules: readonly HttpRule[];
  readonly connections: readonly ConnectionRule[];
}

function destinationsIn({ route = [], mirror, mirrors = [] }: HttpRule['rule']): readonly { readonly host: string }[] {
  const mirrored = mirrors.map(({ destination }) => destination);
  return [...route.map(({ destination }) => destination), ...(mirror === undefined ? [] : [mirror]), ...mirrored];
}
