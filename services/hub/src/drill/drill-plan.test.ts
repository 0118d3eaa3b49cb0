import type { DrillSpec } from '@hawser/model/drill.ts';
import { describe, expect, it } from 'vitest';
import { capacityOf, type DrillWorldChanges, drillOf, drillWorldOf } from './drill-fixture.ts';
import { drillPlanOf, planView } from './drill-plan.ts';
import { drillRefusals } from './drill-refusals.ts';

const ENOUGH = capacityOf({ west: 1_000, north: 1_000 });

function planned(spec: Partial<DrillSpec> = {}, changes: DrillWorldChanges = { resources: [ENOUGH] }, overrides: readonly string[] = []) {
  const world = drillWorldOf(changes);
  const drill = drillOf(spec);
  const plan = drillPlanOf(drill, world);
  return planView(drill, plan, drillRefusals(drill, plan, { context: world.context, urgency: 'manual', overrides }));
}
const rules = (...of: Parameters<typeof planned>) => planned(...of).refusals.map(({ rule }) => rule);

describe('the plan of a drill', () => {
  it('names what would move, from where to where, as it is measured and as agents divide it', () => {
    expect(planned()).toMatchObject({
      ...{ drill: 'lose-east', mode: 'dryRun', scenario: 'regionLoss', scope: 'region east', clusters: ['east'] },
      services: [
        { service: 'bookinfo/ratings', included: false, why: 'blastRadius.services does not select it', moved: [] },
        {
          ...{ service: 'bookinfo/reviews', included: true, why: 'served by east' },
          moved: [{ source: 'east', requests: 80, to: [{ cluster: 'west', region: 'west', share: 1, requests: 80 }] }],
        },
      ],
      headroom: [
        { service: 'bookinfo/reviews', cluster: 'west', requestsNow: 100, requestsAfter: 180, capacity: 1_000, verdict: 'enough' },
      ],
      traffic: { percent: 40, maxPercent: 50 },
      remainingRegions: { names: ['north', 'west'], least: 1 },
      refusals: [],
    });
  });

  it('counts the requests of every source that go there now', () => {
    const { services, traffic } = planned(
      {},
      { resources: [ENOUGH], rates: { 'east reviews east': 60, 'west reviews east': 20, 'west reviews west': 120 } },
    );
    expect(services[1]?.moved.map(({ source, requests }) => [source, requests])).toEqual([
      ['east', 60],
      ['west', 20],
    ]);
    expect(traffic.percent).toBe(40);
  });

  it('says whom it spares, and why', () => {
    const { services } = planned({
      blastRadius: { services: { namespaces: ['bookinfo'], names: ['shop/cart'] }, exclude: { names: ['bookinfo/ratings'] } },
    });
    expect(services.map(({ service, included, why }) => [service, included, why])).toEqual([
      ['bookinfo/ratings', false, 'blastRadius.exclude spares it'],
      ['bookinfo/reviews', true, 'served by east'],
      ['shop/cart', false, 'no cluster exports it'],
    ]);
  });

  it('is refused by name where it selects nothing, or nobody knows the place', () => {
    expect(planned({ blastRadius: { services: { names: ['shop/cart'] } } }).refusals).toEqual([
      { rule: 'empty-selection', message: 'no service of shop/cart is served in region east (shop/cart: no cluster exports it)' },
    ]);
    const mars = { scenario: { type: 'regionLoss', from: { region: 'mars' } } } as const;
    expect(planned(mars).refusals).toEqual([{ rule: 'known-scope', message: 'there is no region mars; there are east, north, west' }]);
    expect(rules(mars, undefined, ['known-scope'])).toEqual(['known-scope']);
  });

  it('is refused where too few regions would be left, whatever is overridden', () => {
    const only = { blastRadius: { services: { names: ['bookinfo/ratings'] } } };
    expect(planned(only).refusals).toEqual([
      { rule: 'minimum-regions', message: 'without region east bookinfo/ratings by none would be served; 1 must be left' },
    ]);
    expect(
      rules({ blastRadius: { services: { names: ['bookinfo/reviews'] }, minRemainingRegions: 3 } }, undefined, ['minimum-regions']),
    ).toEqual(['minimum-regions']);
    const drained = { kind: 'Drain', metadata: { name: 'd' }, spec: {}, inForce: { scope: { region: 'west' }, percent: 100 } };
    const two = { blastRadius: { services: { names: ['bookinfo/reviews'] }, minRemainingRegions: 2 } };
    expect(rules(two)).toEqual([]);
    expect(planned(two, { resources: [ENOUGH, { ...drained, spec: drained.inForce }] }).refusals[0]?.message).toContain(
      'bookinfo/reviews by north',
    );
  });

  it('is refused where too much would move, or nobody knows how much', () => {
    const little = { blastRadius: { services: { names: ['bookinfo/reviews'] }, maxTrafficPercent: 30 } };
    expect(planned(little).refusals).toEqual([
      { rule: 'max-traffic', message: '40.0 % of all requests go to region east; blastRadius.maxTrafficPercent allows 30 %' },
    ]);
    expect(rules(little, undefined, ['max-traffic'])).toEqual([]);
    const blind = planned({}, { resources: [ENOUGH], rates: undefined });
    expect(blind.refusals.map(({ rule }) => rule)).toEqual(['max-traffic', 'headroom']);
    expect(blind.traffic).toEqual({ maxPercent: 50, unmeasured: 'this hub does not measure traffic' });
    expect(blind.services[1]?.moved).toEqual([{ source: 'east', to: [{ cluster: 'west', region: 'west', share: 1 }] }]);
  });

  it('is refused without the headroom that it asks for', () => {
    const tight = { resources: [capacityOf({ west: 220, north: 1_000 })] };
    expect(rules({}, tight)).toEqual(['headroom']);
    expect(rules({ readiness: { minHeadroomPercent: 10 } }, tight)).toEqual([]);
    expect(planned({}, { resources: [] }).refusals[0]?.message).toMatch(/nobody knows how many it bears; .*--override headroom/);
  });

  it('counts what a cluster declares of its own for that cluster alone', () => {
    const metadata = { namespace: 'bookinfo', creationTimestamp: '2026-01-01T00:00:00Z' };
    const ownOf = (cluster: string) => {
      const own = { ...metadata, name: `capacity@${cluster}`, annotations: { 'hawser.dev/clusters': `cluster=${cluster}` } };
      return { ...capacityOf({ west: 1_000, north: 1_000 }), metadata: own };
    };
    expect(rules({}, { resources: [ownOf('west')] })).toEqual(['headroom']);
    expect(rules({}, { resources: [ownOf('west'), ownOf('north')] })).toEqual([]);
  });

  it('is refused by freezes and safety rules, and by a drain of the same requests', () => {
    const freeze = { kind: 'Freeze', metadata: { name: 'sale' }, spec: { reason: 'the sale' } };
    expect(rules({}, { resources: [ENOUGH, freeze] })).toEqual(['freeze/sale']);
    expect(rules({}, { resources: [ENOUGH, freeze] }, ['freeze/sale'])).toEqual([]);
    const drain = {
      kind: 'Drain',
      metadata: { name: 'd' },
      spec: { scope: { region: 'east' } },
      inForce: { scope: { region: 'east' }, percent: 10 },
    };
    expect(rules({}, { resources: [ENOUGH, drain] })).toEqual(['no-overlap']);
  });

  it('is refused by a Freeze that it names, whatever that is for, and where there is none of the name', () => {
    const elsewhere = { kind: 'Freeze', metadata: { name: 'payday' }, spec: { reason: 'payday', scope: { regions: ['north'] } } };
    expect(rules({}, { resources: [ENOUGH, elsewhere] })).toEqual([]);
    expect(rules({ freezeRefs: ['payday'] }, { resources: [ENOUGH, elsewhere] })).toEqual(['freeze/payday']);
    const over = { ...elsewhere, spec: { ...elsewhere.spec, until: '2026-11-23T09:00:00Z' } };
    expect(rules({ freezeRefs: ['payday'] }, { resources: [ENOUGH, over] })).toEqual([]);
    expect(planned({ freezeRefs: ['paydya'] }).refusals).toEqual([
      { rule: 'known-freeze', message: 'freezeRefs names paydya, and there is no Freeze of that name: hawser freeze list' },
    ]);
  });

  it('of a drain goes where it is said, and is refused where that is nowhere', () => {
    const to = (...of: NonNullable<DrillSpec['scenario']['to']>) => ({
      scenario: { type: 'drain', from: { region: 'east' }, to: of } as const,
    });
    const [, reviews] = planned(to({ region: 'north' })).services;
    expect(reviews?.moved).toEqual([{ source: 'east', requests: 80, to: [{ cluster: 'north', region: 'north', share: 1, requests: 80 }] }]);
    const both = planned(to({ region: 'north', weight: 3 }, { cluster: 'west' })).services[1]?.moved[0]?.to;
    expect(both?.map(({ cluster, share }) => [cluster, share])).toEqual([
      ['north', 0.75],
      ['west', 0.25],
    ]);
    for (const wrong of [{ region: 'mars' }, { region: 'east' }, { cluster: 'east' }])
      expect(rules(to({ region: 'west' }, wrong), undefined, ['known-destination'])).toEqual(['known-destination']);
  });

  it('of a fault that hits some requests counts these, and asks for the headroom of all: what fails often is ejected', () => {
    const half = { scenario: { type: 'regionLoss', from: { region: 'east' }, fault: 'error', percent: 50 } } as const;
    const { services, traffic, headroom } = planned(half);
    expect(services[1]?.moved).toMatchObject([{ source: 'east', requests: 40, to: [{ cluster: 'west', requests: 40 }] }]);
    expect(traffic.percent).toBe(20);
    expect(headroom[0]).toMatchObject({ cluster: 'west', requestsAfter: 180 });
    const little = { services: { names: ['bookinfo/reviews'] }, maxTrafficPercent: 30 };
    expect(rules({ ...half, blastRadius: little })).toEqual([]);
    expect(rules({ blastRadius: little })).toEqual(['max-traffic']);
  });

  it('of a hub loss moves nothing, and is of every cluster', () => {
    expect(planned({ scenario: { type: 'hubLoss' } }, { resources: [], rates: undefined })).toMatchObject({
      ...{ scope: 'every cluster', clusters: ['east', 'north', 'west'], headroom: [], refusals: [] },
      services: [{ included: false }, { included: true, moved: [] }],
    });
  });
});
