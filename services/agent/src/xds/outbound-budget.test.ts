import { expect, test } from 'vitest';
import { OutboundBudget } from './outbound-budget.ts';

const MIB = 1024 * 1024;

test('large responses wait in turn while others are on their way, small ones never do', () => {
  const budget = new OutboundBudget();
  const order: string[] = [];
  const releases = Array.from({ length: 8 }, () => budget.take(MIB));
  expect(budget.open).toBe(false);
  expect(budget.take(1_000)).toBeUndefined();
  const next = (name: string) => () => {
    order.push(name);
    budget.take(MIB);
  };
  for (const name of ['a', 'b', 'c']) budget.wait(next(name));
  releases[0]?.();
  expect(order).toEqual(['a']);
  releases[0]?.();
  expect(order, 'a response is given back once').toEqual(['a']);
  releases[1]?.();
  expect(order).toEqual(['a', 'b']);
  for (const release of releases) release?.();
  expect(order).toEqual(['a', 'b', 'c']);
  expect(budget.open).toBe(true);
});

test('one response may be larger than the budget, and a stream that ended does not wait', () => {
  const budget = new OutboundBudget();
  const release = budget.take(100 * MIB);
  const never = (): never => {
    throw new Error('called after it left');
  };
  budget.wait(never);
  budget.leave(never);
  release?.();
  expect(budget.open).toBe(true);
});
