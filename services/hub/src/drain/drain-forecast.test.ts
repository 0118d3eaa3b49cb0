import type { Resource } from '@hawser/model/resource.ts';
import { describe, expect, it } from 'vitest';
import { memberOf, policyOf } from '../fleet/fleet-fixture.ts';
import { learnedKey } from '../overflow/learned-capacity.ts';
import { contextOf, drainOf, measured, NOW, REVIEWS, type Stream } from './drain-fixture.ts';
import { borneKey, drainForecast, type ForecastParts, loadBorne } from './drain-forecast.ts';

const MEMBERS = [memberOf('us-east'), memberOf('us-west'), memberOf('eu-west')];
const STREAMS: readonly Stream[] = [
  { from: 'us-east', to: 'us-east', perSecond: 60 },
  { from: 'us-west', to: 'us-west', perSecond: 20 },
];
const capacity = (given: object, { name = 'order', clusters }: { readonly name?: string; readonly clusters?: string } = {}) => {
  const spec = { order: ['us-east', 'us-west', 'eu-west'], capacity: given };
  return policyOf('FailoverPolicy', name, spec, clusters === undefined ? undefined : { 'hawser.dev/clusters': clusters });
};
const ROOM = capacity({ regions: { 'us-east': 100, 'us-west': 200 } });
const traffic = measured(MEMBERS, STREAMS);

function forecast(percent: number, more: Partial<ForecastParts> & { readonly spec?: object; readonly inForce?: number } = {}) {
  const { spec = { scope: { region: 'us-east' } }, inForce, ...parts } = more;
  const drain = drainOf('east', spec, inForce);
  const context = contextOf({ members: MEMBERS, resources: [ROOM, ...(inForce === undefined ? [] : [drain])] });
  return drainForecast({ drain, percents: [percent] }, { context, traffic, borne: {}, ...parts });
}

describe('the forecast of a drain', () => {
  it('is the measured load of callers, divided as agents would divide it', () => {
    expect(forecast(100)).toEqual([{ service: REVIEWS, cluster: 'us-west', before: 20, after: 80, capacity: 200, verdict: 'enough' }]);
    expect(forecast(50)).toEqual([expect.objectContaining({ before: 20, after: 50 })]);
    expect(forecast(100, { spec: { scope: { region: 'us-east' }, destinations: [{ region: 'eu-west' }] } })).toEqual([
      expect.objectContaining({ cluster: 'eu-west', before: 0, after: 60, capacity: undefined, verdict: 'unknown' }),
    ]);
  });

  it('counts from what is in force, on the way there and on the way back', () => {
    expect(forecast(100, { inForce: 50 })).toEqual([expect.objectContaining({ cluster: 'us-west', before: 50, after: 80 })]);
    expect(forecast(50, { inForce: 100 })).toEqual([
      expect.objectContaining({ cluster: 'us-east', before: 0, after: 30, capacity: 100, verdict: 'enough' }),
    ]);
  });

  it('is unknown where a cluster has not accounted for its callers, or none is known', () => {
    const silent = measured(MEMBERS, STREAMS, ['us-east', 'us-west']);
    for (const unknown of [undefined, silent, measured([], [])])
      expect(forecast(100, { traffic: unknown })).toEqual([
        expect.objectContaining({ cluster: 'us-west', after: undefined, verdict: 'unknown' }),
      ]);
  });

  it('says nothing where nobody calls, or of services that are not served there', () => {
    expect(forecast(100, { traffic: measured(MEMBERS, []) })).toEqual([]);
    expect(forecast(100, { spec: { scope: { region: 'us-east' }, services: { names: ['bookinfo/details'] } } })).toEqual([]);
  });
});

describe('the capacity of a destination', () => {
  const members = [memberOf('us-east'), memberOf('west-1', { region: 'us-west' }), memberOf('west-2', { region: 'us-west' })];
  const load = measured(members, [{ from: 'us-east', to: 'us-east', perSecond: 60 }]);
  const forecastWith = (resources: readonly Resource[], more: Partial<ForecastParts> = {}) =>
    drainForecast(
      { drain: drainOf('east', { scope: { region: 'us-east' } }), percents: [100] },
      { context: contextOf({ members, resources }), traffic: load, borne: {}, ...more },
    ).map((one) => `${one.cluster} ${one.capacity}`);
  const ofWest = (policy: Resource, borne: Readonly<Record<string, number>> = {}, learned?: ForecastParts['learned']) =>
    forecastWith([policy], { borne, learned });

  it('of a region is divided among its clusters that serve; one that is named has its own', () => {
    expect(ofWest(capacity({ regions: { 'us-west': 100 } })).sort()).toEqual(['west-1 50', 'west-2 50']);
    expect(ofWest(capacity({ regions: { 'us-west': 100 }, clusters: { 'west-2': 70 } })).sort()).toEqual(['west-1 50', 'west-2 70']);
    expect(ofWest(capacity({ clusters: { 'west-2': 70 } })).sort()).toEqual(['west-1 undefined', 'west-2 70']);
  });

  it('is declared by the policy in force there: of what a cluster owns, and of what the hub has with a selector, for those clusters alone', () => {
    const everywhere = capacity({ regions: { 'us-west': 100 } });
    const own = capacity({ clusters: { 'west-1': 10, 'west-2': 10 } }, { name: 'order@west-1', clusters: 'cluster=west-1' });
    expect(forecastWith([own]).sort()).toEqual(['west-1 10', 'west-2 undefined']);
    expect(forecastWith([everywhere, own]).sort()).toEqual(['west-1 10', 'west-2 50']);
    const selected = capacity({ clusters: { 'west-1': 10, 'west-2': 20 } }, { clusters: 'cluster!=west-1' });
    expect(forecastWith([selected]).sort()).toEqual(['west-1 undefined', 'west-2 20']);
    const elsewhere = capacity({ regions: { 'us-west': 100 } }, { name: 'order@us-east', clusters: 'cluster=us-east' });
    expect(forecastWith([elsewhere]).sort()).toEqual(['west-1 undefined', 'west-2 undefined']);
  });

  it('is what it was seen to answer well, where the policy asks for that alone', () => {
    const learned = new Map([[learnedKey(REVIEWS, 'west-1'), 90]]);
    expect(ofWest(capacity({ learned: true }), {}, learned).sort()).toEqual(['west-1 90', 'west-2 undefined']);
    expect(ofWest(capacity({ learned: true, clusters: { 'west-1': 40 } }), {}, learned).sort()).toEqual(['west-1 40', 'west-2 undefined']);
    expect(ofWest(capacity({ clusters: { 'west-2': 70 } }), {}, learned).sort()).toEqual(['west-1 undefined', 'west-2 70']);
    expect(ofWest(capacity({ learned: true }), { [borneKey(REVIEWS, 'west-1')]: 70 }, learned).sort()).toEqual([
      'west-1 100',
      'west-2 undefined',
    ]);
  });

  it('is what it bore when it was left, and a little more, where nothing is declared', () => {
    expect(
      ofWest(capacity({ clusters: { 'west-2': 70 } }), { [borneKey(REVIEWS, 'west-1')]: 35, [borneKey(REVIEWS, 'west-2')]: 35 }).sort(),
    ).toEqual(['west-1 50', 'west-2 70']);
  });
});

describe('what is borne', () => {
  it('is by service and cluster, of those that are asked for', () => {
    expect(loadBorne(traffic, [REVIEWS], new Set(['us-east']))).toEqual({ [borneKey(REVIEWS, 'us-east')]: 60 });
    expect(loadBorne(traffic, ['shop/cart'], new Set(['us-east']))).toEqual({});
    expect(loadBorne(undefined, [REVIEWS], new Set(['us-east']))).toEqual({});
    expect(NOW).toBe(traffic.knownUntil());
  });
});
