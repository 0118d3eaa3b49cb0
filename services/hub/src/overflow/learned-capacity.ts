/** What clusters were seen to answer well, as overflow has learned it: others may count on it. */
import { serviceKey } from '@hawser/model/service-host.ts';
import type { OverflowState } from './overflow-state.ts';

/** Requests/s by `learnedKey`. */
export type LearnedCapacity = ReadonlyMap<string, number>;

/** Name of what a cluster answered well of a service, `NAMESPACE/NAME`. */
export function learnedKey(service: string, cluster: string): string {
  return `${service} ${cluster}`;
}

/** The most of what several policies saw. Regions are left out: they are places by their declared capacity alone. Pure. */
export function learnedOf(all: readonly { readonly namespace: string; readonly state: Pick<OverflowState, 'learned'> }[]): LearnedCapacity {
  const known = new Map<string, number>();
  for (const { namespace, state } of all)
    for (const [service, places] of Object.entries(state.learned))
      for (const [place, perSecond] of Object.entries(places)) {
        const [sort, cluster = ''] = place.split(' ');
        const key = learnedKey(serviceKey({ namespace, service }), cluster);
        if (sort === 'cluster') known.set(key, Math.max(known.get(key) ?? 0, perSecond));
      }
  return known;
}
