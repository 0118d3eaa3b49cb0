import { describe, expect, it } from 'vitest';
import { diversionsOf } from './diversion.ts';
import type { DrainSpec } from './drain.ts';
import { stagesOf } from './drain-waves.ts';
import type { Resource } from './resource.ts';

const names = (...all: readonly string[]) => ({ names: all.map((name) => `shop/${name}`) });

describe('stages of waves', () => {
  it('are one of everything where there are none', () => {
    expect(stagesOf()).toEqual([{ waves: [], services: undefined }]);
  });

  it('have the waves that wait for the same, in their order, and at the end what none selects', () => {
    const waves = [
      { name: 'last', selector: { namespaces: ['data'] }, after: ['second', 'first'] },
      { name: 'first', selector: names('web') },
      { name: 'second', selector: names('cart'), after: ['first'] },
      { name: 'beside', selector: { ...names('api', 'web'), namespaces: ['edge'] } },
    ];
    expect(stagesOf(waves)).toEqual([
      { waves: ['first', 'beside'], services: { namespaces: ['edge'], ...names('web', 'api') } },
      { waves: ['second'], services: names('cart') },
      { waves: ['last'], services: { namespaces: ['data'] } },
      { waves: [], services: undefined },
    ]);
  });
});

describe('stages in force', () => {
  const drain = (spec: Partial<DrainSpec>): Resource => ({
    ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'Drain', metadata: { name: 'd' } },
    spec: { scope: { region: 'east' }, percent: 0, closeLongLived: true, ...spec },
  });
  const stages = [
    { services: names('web'), percent: 100 },
    { services: { namespaces: ['shop'] }, percent: 25 },
  ];
  const percent = (one: Resource, namespace: string, service: string): string =>
    diversionsOf([one], undefined, { namespace, service })
      .map((diversion) => `${diversion.percent}${diversion.closes ? ' closes' : ''}`)
      .join();

  it('take what the first says that has the service; of others the drain as a whole', () => {
    const waved = drain({ stages });
    expect([percent(waved, 'shop', 'web'), percent(waved, 'shop', 'cart'), percent(waved, 'data', 'db')]).toEqual(['100 closes', '25', '']);
    expect(percent(drain({ stages, percent: 10 }), 'data', 'db')).toBe('10');
    expect(percent(drain({ stages, services: names('cart') }), 'shop', 'web')).toBe('');
  });

  it('are the same objects while the drain is the same', () => {
    const waved = drain({ stages });
    const once = diversionsOf([waved], undefined, { namespace: 'shop', service: 'cart' });
    expect(diversionsOf([waved], undefined, { namespace: 'shop', service: 'other' })[0]).toBe(once[0]);
  });
});
