import type { WhoServesAnswer } from '@hawser/wire/hub-api.ts';
import { describe, expect, it } from 'vitest';
import { headroomOf, headroomRefusal, type ServiceLoad, sharesOf } from './headroom.ts';

type Localities = WhoServesAnswer['answers'][number]['localities'];

const locality = (cluster: string, weight: number, more: Partial<Localities[number]> = {}): Localities[number] => ({
  ...{ cluster, region: cluster, priority: 0, weight, endpoints: 2, healthy: 2, state: 'KNOWN' },
  ...more,
});
const from = (client: string, ...localities: Localities): WhoServesAnswer['answers'][number] => ({ from: client, localities });
const load = (more: Partial<ServiceLoad>): ServiceLoad => ({
  service: 'bookinfo/reviews',
  demand: new Map([['east', 90]]),
  before: [from('east', locality('east', 1))],
  after: [from('east', locality('west', 1))],
  capacityOf: () => 100,
  ...more,
});
const refusal = (...services: readonly ServiceLoad[]): string | undefined => headroomRefusal(headroomOf(services))?.message;

describe('shares', () => {
  it('are those of the first level that has somebody healthy', () => {
    expect(Object.fromEntries(sharesOf([locality('a', 3), locality('b', 1), locality('c', 1, { priority: 1 })]))).toEqual({
      a: 0.75,
      b: 0.25,
    });
    expect(Object.fromEntries(sharesOf([locality('a', 3, { healthy: 0 }), locality('c', 1, { priority: 1 })]))).toEqual({ c: 1 });
    expect(Object.fromEntries(sharesOf([locality('a', 1), locality('b', 3, { healthy: 0 })]))).toEqual({ a: 1 });
    expect(sharesOf([locality('a', 1, { healthy: 0 })]).size).toBe(0);
    expect(sharesOf([]).size).toBe(0);
  });

  it('of several localities of one cluster are added up', () => {
    expect(Object.fromEntries(sharesOf([locality('a', 1), locality('a', 1), locality('b', 2)]))).toEqual({ a: 0.5, b: 0.5 });
  });
});

describe('headroom', () => {
  it('leaves a fifth of the capacity free', () => {
    const at = (perSecond: number): string | undefined => headroomOf([load({ demand: new Map([['east', perSecond]]) })])[0]?.verdict;
    expect([at(80), at(80.1), at(81)]).toEqual(['enough', 'short', 'short']);
    expect(refusal(load({}))).toBe('bookinfo/reviews in west would get 90 requests/s of 100; at most 80 % may be used');
  });

  it('adds what a destination gets already, of every caller', () => {
    const both = load({
      demand: new Map([
        ['east', 30],
        ['west', 30],
      ]),
      before: [from('east', locality('east', 1)), from('west', locality('west', 1))],
      after: [from('east', locality('west', 1)), from('west', locality('west', 1))],
    });
    expect(headroomOf([both])).toEqual([
      { service: 'bookinfo/reviews', cluster: 'west', before: 30, after: 60, capacity: 100, verdict: 'enough' },
    ]);
  });

  it('says nothing of those that get no more than now', () => {
    expect(headroomOf([load({ before: [from('east', locality('west', 1))] })])).toEqual([]);
    expect(headroomOf([load({ demand: new Map() })])).toEqual([]);
    expect(refusal(load({ demand: new Map(), capacityOf: () => undefined }))).toBeUndefined();
  });

  it('refuses what is unknown like what is too little', () => {
    expect(refusal(load({ capacityOf: () => undefined }))).toBe(
      'bookinfo/reviews in west would get 90 requests/s, and nobody knows how many it bears; declare the capacity, or go without this rule (--force)',
    );
    expect(refusal(load({ demand: undefined }))).toMatch(
      /^the load of bookinfo\/reviews is not measured, and west would get more of it; declare/,
    );
    expect(refusal(load({ demand: undefined, before: [from('east', locality('west', 1))] }))).toBeUndefined();
  });

  it('lists the tightest first, and unknown ones at the end', () => {
    const service = (name: string, capacity: number | undefined): ServiceLoad => load({ service: name, capacityOf: () => capacity });
    const all = headroomOf([service('a', 1_000), service('b', undefined), service('c', 0), service('d', 100)]);
    expect(all.map(({ service, verdict }) => `${service} ${verdict}`)).toEqual(['c short', 'd short', 'a enough', 'b unknown']);
    expect(headroomRefusal(all)?.message).toMatch(/^c in west would get 90 requests\/s of 0.0, d in west .* at most 80 %/);
    const many = ['a', 'b', 'c', 'd', 'e'].map((name) => service(name, 50));
    expect(refusal(...many)).toMatch(/c in west would get 90 requests\/s of 50 and 2 more; at most/);
  });
});
