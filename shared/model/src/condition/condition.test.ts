import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bareEnvironment, compileCondition, LONGEST_CONDITION, MOST_STEPS, type Vocabulary } from './condition.ts';

/** Counts how often something was looked at, by everybody who evaluates. */
let looks = 0;
class Item {
  readonly #n: number;
  constructor(n: number) {
    this.#n = n;
  }
  get n(): number {
    looks += 1;
    return this.#n;
  }
}
const VOCABULARY: Vocabulary = {
  environment: bareEnvironment()
    .registerType('Item', { ctor: Item, fields: { n: 'double' } })
    .registerVariable('items', 'list<Item>')
    .registerVariable('words', 'list<string>')
    .registerVariable('result', 'double'),
  lists: ['items', 'words'],
  described: 'known are items, words and result',
};
const items = (count: number): Item[] => Array.from({ length: count }, (_, index) => new Item(index));
const compile = (text: string) => compileCondition(text, VOCABULARY);
function evaluate(text: string, count = 3, result = 0.5) {
  const made = compile(text);
  if ('problem' in made) return made;
  looks = 0;
  return made.condition.evaluate({ items: items(count), words: ['a'], result }, { items: count, words: 1 });
}

describe('a condition', () => {
  test.each<[string, boolean]>([
    ['result < 0.6', true],
    ['result < 1', true],
    ['result == 1', false],
    ['items.all(i, i.n < 3.0)', true],
    ['items.filter(i, i.n > 0.0).size() == 2', true],
    ['items.exists(a, items.exists(b, a.n == b.n + 1.0))', true],
    ['"a" in words && !(words[0].startsWith("b"))', true],
    ['size(items) > 2 ? result > 0.0 : false', true],
  ])('%s is %s', (text, holds) => {
    expect(evaluate(text)).toEqual({ holds });
  });

  test.each<[string, RegExp]>([
    ['result <', /at character 9: Unexpected token/],
    ['nothing < 1', /at character 1 \(nothing < 1\): Unknown variable: nothing; known are items, words and result/],
    ['items.all(i, i.m < 1.0)', /at character 16 .*No such key: m/],
    ['result < "a"', /no such overload/],
    ['result', /is of type double/],
    ['words.map(w, w + w).size() > 1', /calls map/],
    ['cel.bind(w, words + words, size(w + w) > 1)', /calls bind/],
    ['words[0].matches("(a+)+$")', /calls matches/],
    ['{"a": 1}.a == 1', /makes a map/],
    ['[[1], [2]].all(l, size(l) == 1)', /list within a list/],
    [`result < ${'-'.repeat(20)}1.0`, /more than 12 deep/],
    [`${'('.repeat(13)}true${')'.repeat(13)}`, /maxDepth/],
    [`result in [${Array.from({ length: 65 }, (_, index) => `${index}.0`).join(',')}]`, /maxListElements/],
    [Array.from({ length: 150 }, () => 'true').join('&&'), /maxAstNodes|deep/],
    [' '.repeat(LONGEST_CONDITION + 1), /characters; at most/],
    ['items.all(a, items.all(b, items.all(c, a.n == b.n)))', /could take .* steps/],
  ])('%s is refused, with the place', (text, problem) => {
    expect(compile(text)).toEqual({ problem: expect.stringMatching(problem) });
  });

  test('is refused, before it begins, over lists that are too long for it', () => {
    const text = 'items.all(a, items.all(b, a.n >= 0.0))';
    expect(evaluate(text, 64)).toEqual({ holds: true });
    expect(evaluate(text, 5_000)).toEqual({ problem: expect.stringMatching(/could take .* steps/) });
    expect(looks).toBe(0);
  });

  test('that cannot be evaluated does not hold, and says where', () => {
    expect(evaluate('1 / (size(words) - 1) > 0')).toEqual({ problem: expect.stringMatching(/division by zero/i) });
  });
});

describe('whatever is written', () => {
  const leaf = fc.constantFrom(
    'items',
    'words',
    '(items + items)',
    'items.filter(z, z.n >= 0.0)',
    '(result > 0.0 ? items : items + items)',
  );
  const grown = fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'medium', withCrossShrink: true },
      fc.constantFrom('result < 1.0', 'items[0].n < 5.0', 'items == items', 'true'),
      fc
        .tuple(leaf, fc.constantFrom('all', 'exists', 'exists_one'), fc.constantFrom('a', 'b', 'c'), tie('node'))
        .map(([list, what, name, body]) =>
          list === 'words' ? `words.${what}(${name}, ${body})` : `${list}.${what}(${name}, ${name}.n >= 0.0 || ${body})`,
        ),
      fc.tuple(tie('node'), fc.constantFrom('&&', '||', '=='), tie('node')).map(([a, op, b]) => `(${a} ${op} ${b})`),
    ),
  })).node;

  test('is refused, or takes no more steps than are allowed', () => {
    let evaluated = 0;
    fc.assert(
      fc.property(grown, fc.integer({ min: 0, max: 300 }), (text, count) => {
        const made = compile(text);
        if ('problem' in made) return;
        looks = 0;
        const outcome = made.condition.evaluate({ items: items(count), words: ['a'], result: 1 }, { items: count, words: 1 });
        expect(looks).toBeLessThanOrEqual(MOST_STEPS);
        if ('holds' in outcome) evaluated += 1;
      }),
      { numRuns: 300 },
    );
    expect(evaluated).toBeGreaterThan(50);
  });

  test('never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ maxLength: 80 }), fc.string({ unit: fc.constantFrom(...'items.all(a,)&&!"[]{}0?:-+ result<') })),
        (text) => {
          const made = compile(text);
          if ('problem' in made) expect(made.problem).not.toBe('');
          else made.condition.evaluate({ items: items(2), words: [], result: 0 });
        },
      ),
    );
  });
});
