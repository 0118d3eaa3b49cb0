import { expect, it } from 'vitest';
import { ForecastMemory } from './forecast-memory.ts';

it('makes a verdict anew when something that it was made from has changed, and not else', () => {
  const memory = new ForecastMemory();
  let made = 0;
  const ask = (key: string, ...from: readonly unknown[]): string | undefined =>
    memory.refusal(key, from, () => {
      made += 1;
      return { rule: 'headroom', message: String(made) };
    })?.message;
  const desired = {};
  expect([ask('a 10', desired, 1), ask('a 10', desired, 1), ask('a 25', desired, 1)]).toEqual(['1', '1', '2']);
  expect([ask('a 10', desired, 2), ask('a 10', {}, 2), ask('a 10', desired)]).toEqual(['3', '4', '5']);
  memory.refusal('b 10', [], () => undefined);
  expect(memory.refusal('b 10', [], () => ({ rule: 'x', message: '' }))).toBeUndefined();
  memory.keepOnly(new Set(['b']));
  expect(ask('a 25', desired, 1)).toBe('6');
  expect(memory.refusal('b 10', [], () => ({ rule: 'x', message: '' }))).toBeUndefined();
});
