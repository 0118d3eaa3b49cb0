import { setTimeout as wait } from 'node:timers/promises';

/** Works through `count` turns at a steady rate, however long each takes: one that is late is followed by the next at once. */
export async function atPace(
  { count, perSecond }: { readonly count: number; readonly perSecond: number },
  turn: (index: number) => void,
): Promise<void> {
  const begun = performance.now();
  for (let index = 0; index < count; index += 1) {
    const left = begun + (index * 1_000) / perSecond - performance.now();
    if (left > 0) await wait(left);
    turn(index);
  }
}
