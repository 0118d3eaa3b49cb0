import type { DrainScope } from '@hawser/model/drain.ts';
import { describe, expect, it } from 'vitest';
import { assertionRefusal, type DrainWorld, type ServedBy, type Taken, unknownScope } from './drain-assertions.ts';

const place = (cluster: string, region = cluster, zone?: string, draining = false) => ({
  ...{ cluster, region, draining },
  ...(zone === undefined ? {} : { zone }),
});
const served = (...clusters: readonly string[]): ServedBy[] => clusters.map((cluster) => ({ cluster, healthy: 2, fresh: true }));
const WORLD: DrainWorld = {
  places: [place('east-1', 'us-east', 'a'), place('east-2', 'us-east', 'b'), place('us-west')],
  services: new Map([['bookinfo/reviews', served('east-1', 'east-2', 'us-west')]]),
  others: [],
};
const taken = (scope: DrainScope, more: Partial<Taken> = {}): Taken => ({ name: 'this', scope, urgency: 'graceful', ...more });
const rule = (one: Taken, world: Partial<DrainWorld> = {}): string | undefined => assertionRefusal(one, { ...WORLD, ...world })?.rule;
const message = (one: Taken, world: Partial<DrainWorld> = {}): string | undefined => assertionRefusal(one, { ...WORLD, ...world })?.message;

describe('what is drained', () => {
  it('must be there, by its kind of place', () => {
    for (const scope of [{ region: 'us-east' }, { cluster: 'east-2' }, { zone: 'us-east/b' }, { gateway: 'us-west' }])
      expect(rule(taken(scope))).toBeUndefined();
    const said = (scope: DrainScope): string | undefined => unknownScope({ scope }, WORLD)?.message;
    expect(said({ region: 'east-1' })).toBe('there is no region east-1; there are us-east, us-west');
    expect(said({ cluster: 'us-east' })).toBe('there is no cluster us-east; there are east-1, east-2, us-west');
    expect(said({ zone: 'us-west/a' })).toBe('there is no zone us-west/a; there are us-east/a, us-east/b');
    expect(said({ gateway: 'us-east' })).toBe('there is no cluster us-east; there are east-1, east-2, us-west');
    expect(unknownScope({ scope: { zone: 'x/y' } }, { places: [place('us-west')] })?.message).toBe('there is no zone x/y; there are none');
  });
});

describe('no-overlap', () => {
  const other = (scope: DrainScope, more: Partial<Taken> = {}): Partial<DrainWorld> => ({
    others: [taken(scope, { name: 'other', ...more })],
  });

  it('holds for places that have a cluster in common, whatever they are named by', () => {
    expect(rule(taken({ region: 'us-east' }), other({ cluster: 'east-1' }))).toBe('no-overlap');
    expect(rule(taken({ zone: 'us-east/a' }), other({ region: 'us-east' }))).toBe('no-overlap');
    expect(rule(taken({ gateway: 'east-2' }), other({ zone: 'us-east/b' }))).toBe('no-overlap');
    expect(rule(taken({ zone: 'us-east/a' }), other({ cluster: 'east-2' }))).toBeUndefined();
  });

  it('does not hold for services that are not the same', () => {
    const reviews = { names: ['bookinfo/reviews'] };
    expect(
      rule(
        taken({ region: 'us-east' }, { services: { names: ['bookinfo/details'] } }),
        other({ region: 'us-east' }, { services: reviews }),
      ),
    ).toBeUndefined();
    expect(
      rule(taken({ region: 'us-east' }, { services: { namespaces: ['bookinfo'] } }), other({ region: 'us-east' }, { services: reviews })),
    ).toBe('no-overlap');
    expect(rule(taken({ region: 'us-east' }), other({ region: 'us-east' }, { services: reviews }))).toBe('no-overlap');
  });

  it('lets an emergency go before what is none, and not before another', () => {
    const fire = taken({ region: 'us-east' }, { urgency: 'emergency' });
    expect(rule(fire, other({ cluster: 'east-1' }))).toBeUndefined();
    expect(message(fire, other({ cluster: 'east-1' }, { urgency: 'emergency' }))).toBe(
      'drain other of cluster east-1 is under way; restore that first',
    );
    expect(message(taken({ region: 'us-east' }), other({ cluster: 'east-1' }))).toMatch(
      /restore that first, or make this one an emergency$/,
    );
  });
});

describe('minimum-regions', () => {
  const all = [place('us-east'), place('us-west')];
  it('counts what others have drained, and clusters on their way out', () => {
    const west = taken({ cluster: 'us-west' }, { name: 'other' });
    expect(rule(taken({ region: 'us-east' }), { places: all, services: new Map() })).toBeUndefined();
    expect(rule(taken({ region: 'us-east' }), { places: all, services: new Map(), others: [west] })).toBe('minimum-regions');
    expect(
      rule(taken({ region: 'us-east' }), { places: [place('us-east'), place('us-west', 'us-west', 'a', true)], services: new Map() }),
    ).toBe('minimum-regions');
    expect(rule(taken({ region: 'us-east' }, { urgency: 'emergency' }), { places: [place('us-east')], services: new Map() })).toBe(
      'minimum-regions',
    );
  });

  it('does not count drains of some services, or of a gateway', () => {
    const some = taken({ region: 'us-west' }, { name: 'other', services: { names: ['shop/cart'] } });
    const gateway = taken({ gateway: 'us-west' }, { name: 'gate' });
    expect(rule(taken({ region: 'us-east' }), { places: all, services: new Map(), others: [some, gateway] })).toBeUndefined();
    expect(rule(taken({ gateway: 'us-east' }), { places: [place('us-east')], services: new Map() })).toBeUndefined();
  });
});

describe('healthy-endpoints', () => {
  const services = (...clusters: readonly ServedBy[]): Partial<DrainWorld> => ({ services: new Map([['bookinfo/ratings', clusters]]) });
  const east = taken({ region: 'us-east' });

  it('wants somebody left who is healthy and speaks', () => {
    expect(message(east, services(...served('east-1', 'east-2')))).toBe(
      'without region us-east no healthy endpoint would be left for bookinfo/ratings',
    );
    expect(rule(east, services(...served('east-1', 'us-west')))).toBeUndefined();
    expect(rule(east, services(...served('east-1'), { cluster: 'us-west', healthy: 0, fresh: true }))).toBe('healthy-endpoints');
    expect(rule(east, services(...served('east-1'), { cluster: 'us-west', healthy: 2, fresh: false }))).toBe('healthy-endpoints');
    expect(rule(taken({ cluster: 'east-1' }), services(...served('east-1', 'east-2')))).toBeUndefined();
  });

  it('does not count on who is drained, on his way out, or no member', () => {
    const others = [taken({ cluster: 'us-west' }, { name: 'other', services: { namespaces: ['bookinfo'] } })];
    expect(rule(east, { ...services(...served('east-1', 'us-west')), others })).toBe('healthy-endpoints');
    const places = [place('east-1', 'us-east'), place('us-west', 'us-west', 'a', true), place('eu-west')];
    expect(rule(east, { ...services(...served('east-1', 'us-west')), places })).toBe('healthy-endpoints');
    expect(rule(east, services(...served('east-1', 'gone')))).toBe('healthy-endpoints');
  });

  it('is about services that it takes something from', () => {
    expect(rule(east, services({ cluster: 'east-1', healthy: 0, fresh: true }))).toBeUndefined();
    expect(
      rule(taken({ region: 'us-east' }, { services: { names: ['bookinfo/details'] } }), services(...served('east-1'))),
    ).toBeUndefined();
    expect(rule(east, services(...served('us-west')))).toBeUndefined();
  });

  it('names five of many', () => {
    const many = new Map(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => [`shop/${name}`, served('east-1')]));
    expect(message(east, { services: many })).toMatch(/for shop\/a, shop\/b, shop\/c, shop\/d, shop\/e and 2 more$/);
  });
});
