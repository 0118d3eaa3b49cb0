import { describe, expect, it } from 'vitest';
import { Warnings } from './warnings.ts';

describe('Warnings', () => {
  it('tells each once, keeps what lasts as long as it lasts, and events for a while', () => {
    const told: string[] = [];
    const warnings = new Warnings(({ message }) => told.push(message));
    warnings.standing('registry', ['a', 'b']);
    warnings.standing('registry', ['b', 'c']);
    warnings.event('bus', 'd');
    expect(told).toEqual(['a', 'b', 'c', 'd']);
    expect(warnings.list().map(({ message }) => message)).toEqual(['b', 'c', 'd']);
    warnings.standing('registry', []);
    expect(warnings.list().map(({ message }) => message)).toEqual(['d']);
  });

  it('is bounded in number and length', () => {
    const warnings = new Warnings(() => undefined);
    for (let i = 0; i < 200; i++) warnings.event('bus', `${i}${'x'.repeat(10_000)}`);
    warnings.standing(
      'registry',
      Array.from({ length: 200 }, (_, i) => `file ${i}`),
    );
    expect(warnings.list()).toHaveLength(50);
    expect(Math.max(...warnings.list().map(({ message }) => message.length))).toBeLessThan(600);
  });
});
