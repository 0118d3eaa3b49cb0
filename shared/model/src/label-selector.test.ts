import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesSelector, parseLabelSelector } from './label-selector.ts';

const labels = { region: 'us-east', provider: 'aws', tier: '', 'example.com/pool': 'a' };

function matches(text: string): boolean {
  const selector = parseLabelSelector(text);
  if ('problem' in selector) throw new Error(selector.problem);
  return matchesSelector(selector, labels);
}

describe('label selectors', () => {
  it.each([
    ['', true],
    ['region=us-east', true],
    ['region==us-east', true],
    ['region = us-west', false],
    ['region!=us-west', true],
    ['absent!=x', true],
    ['region in (us-west, us-east)', true],
    ['region in (us-west)', false],
    ['region notin (us-west)', true],
    ['absent notin (a)', true],
    ['absent in (a)', false],
    ['tier', true],
    ['tier=', true],
    ['!tier', false],
    ['!absent', true],
    ['example.com/pool in (a,b),provider=aws,!gpu', true],
    ['provider=aws,region in (eu-west,us-west),!gpu', false],
    ['toString', false],
  ])('%s → %s', (text, expected) => {
    expect(matches(text)).toBe(expected);
  });

  it.each(['=', 'a=b,', 'a in b', 'a in (b', 'a=b=c', 'a b', '!', '-a=b', 'a=b c', 'a in ((b))', `a=${'x'.repeat(5000)}`])(
    'refuses %s',
    (text) => {
      expect(parseLabelSelector(text)).toHaveProperty('problem');
    },
  );

  it('never throws, whatever the text', () => {
    fc.assert(fc.property(fc.string(), (text) => parseLabelSelector(text) !== undefined));
  });

  it('in and notin are each other’s opposite', () => {
    const word = fc.stringMatching(/^[a-z]{1,5}$/);
    fc.assert(
      fc.property(word, fc.array(word, { minLength: 1 }), fc.dictionary(word, word), (key, values, some) => {
        const list = values.join(',');
        const [inside, outside] = [parseLabelSelector(`${key} in (${list})`), parseLabelSelector(`${key} notin (${list})`)];
        if ('problem' in inside || 'problem' in outside) return false;
        return matchesSelector(inside, some) !== matchesSelector(outside, some);
      }),
    );
  });
});
