import { expect, it } from 'vitest';
import { HistoryChecker, type Moment } from './history-checker.ts';

const at = (revision: number, epoch = 1): Map<string, Moment> => new Map([['hub', { epoch, revision }]]);
const held = (content?: string) => new Map([['hub', new Map(content === undefined ? [] : [['route', content]])]]);

function checker(...contents: (string | undefined)[]): HistoryChecker {
  const made = new HistoryChecker();
  for (const content of contents) made.commit('hub', 'route', content);
  return made;
}

it('finds nothing in an agent that skips, and ends with the last', () => {
  const made = checker('a', 'b', undefined, 'c');
  for (const [revision, content] of [
    [1, 'a'],
    [3, undefined],
    [3, undefined],
    [4, 'c'],
  ] as const)
    made.observe('east', { moments: at(revision), held: held(content) });
  made.finish('east');
  expect(made.breaches).toEqual([]);
  expect(made.totals).toMatchObject({ observations: 4, writes: 4, removals: 1, documents: 3 });
});

it('finds each thing that must never be', () => {
  const back = checker('a', 'b');
  back.observe('east', { moments: at(2), held: held('b') });
  back.observe('east', { moments: at(1), held: held('a') });
  expect(back.totals).toMatchObject({ staleOrForged: 2, falseRemovals: 0 });
  const forged = checker('a');
  forged.observe('east', { moments: at(1), held: held('z') });
  forged.observe('east', { moments: at(1), held: new Map([['hub', new Map([['other', 'a']])]]) });
  expect(forged.totals.staleOrForged).toBe(2);
  const gone = checker('a');
  gone.observe('east', { moments: at(1), held: held('a') });
  gone.observe('east', { moments: at(1), held: held() });
  expect(gone.totals.falseRemovals).toBe(1);
  const late = checker('a', 'b');
  late.observe('east', { moments: at(1), held: held('a') });
  expect(late.converged('east')).toBe(false);
  late.finish('east');
  expect(late.totals.lost).toBe(1);
});

it('follows each agent of a cluster by itself, and asks none for what its own cluster says', () => {
  const made = checker('a', 'b');
  made.commit('east', 'details', 'x');
  made.observe('east/1', { moments: at(2), held: held('b') }, 'east');
  made.observe('east/2', { moments: at(1), held: held('a') }, 'east');
  expect(made.breaches).toEqual([]);
  made.finish('east/1', 'east');
  expect(made.totals.lost).toBe(0);
  made.finish('east/2', 'east');
  expect(made.totals.lost).toBe(1);
  made.stale('east/2 says that it has what it has not');
  expect(made.totals.staleOrForged).toBe(1);
});
