import { setTimeout as wait } from 'node:timers/promises';

/** Polls until a condition holds; fails with `why` after 40 s. */
export async function until(condition: () => Promise<boolean> | boolean, why: () => string): Promise<void> {
  const deadline = Date.now() + 40_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(why());
    await wait(20);
  }
}
