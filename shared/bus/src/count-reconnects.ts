import type { Bus } from './bus.ts';

/** Counts the connections of a bus after its first one, from now on. */
export function countReconnects(bus: Pick<Bus, 'onStatus'>): () => number {
  let connections = 0;
  bus.onStatus((connected) => {
    if (connected) connections += 1;
  });
  return () => Math.max(0, connections - 1);
}
