import type { DrainSpec } from '@hawser/model/drain.ts';
import { isSelected } from '@hawser/model/drain-scope.ts';
import { describe, expect, it } from 'vitest';
import { memberOf } from '../fleet/fleet-fixture.ts';
import { TrafficMemory } from '../traffic/traffic-memory.ts';
import { contextOf, MEMBERS, measured, NOW, type Stream } from './drain-fixture.ts';
import { type ResidualQuestion, residualOf } from './residual.ts';

const context = contextOf({ members: MEMBERS });
const STREAMS: readonly Stream[] = [
  { from: 'east-1', to: 'east-1', perSecond: 60 },
  { from: 'east-1', to: 'us-west', perSecond: 20 },
  { from: 'us-west', to: 'us-west', perSecond: 20 },
  { from: 'us-west', to: 'east-2', perSecond: 30, service: 'shop/cart' },
];
const traffic = measured(MEMBERS, STREAMS);
const of = ({ scope = {}, services }: Partial<DrainSpec>): Pick<ResidualQuestion, 'scope' | 'services'> => ({
  scope,
  services: traffic.services().filter((service) => isSelected(services, service)),
});
const ask = (drain: Partial<DrainSpec>, more: Partial<ResidualQuestion> = {}) =>
  residualOf(context, traffic, { ...of(drain), sinceMs: 30_000, away: new Set(), ...more });

describe('the residual share', () => {
  it('is what goes to the scope, of all requests to the services that are selected', () => {
    const shop = { services: { namespaces: ['shop'] } };
    expect(ask({ scope: { cluster: 'us-west' }, services: { names: ['bookinfo/reviews'] } })).toEqual({ kind: 'observed', percent: 40 });
    expect(ask({ scope: { region: 'us-east' } })).toMatchObject({ kind: 'observed', percent: expect.closeTo(69.23, 2) });
    expect(ask({ scope: { zone: 'us-east/a' }, ...shop })).toEqual({ kind: 'observed', percent: 0 });
    expect(ask({ scope: { zone: 'us-east/b' }, ...shop })).toEqual({ kind: 'observed', percent: 100 });
    expect(ask({ scope: { region: 'us-east' }, services: { names: ['bookinfo/nobody'] } })).toEqual({ kind: 'idle' });
  });

  it('of a gateway is of the calls from other networks alone', () => {
    expect(ask({ scope: { gateway: 'us-west' }, services: { namespaces: ['bookinfo'] } })).toEqual({ kind: 'observed', percent: 25 });
    const flat = [memberOf('east-1', { network: 'flat' }), memberOf('us-west', { network: 'flat' })];
    const question = { ...of({ scope: { gateway: 'us-west' } }), sinceMs: undefined, away: new Set<string>() };
    expect(residualOf(contextOf({ members: flat }), measured(flat, STREAMS), question)).toEqual({ kind: 'idle' });
  });

  it('looks at whole seconds after the form came into force alone', () => {
    expect(ask({ scope: { region: 'us-east' } }, { sinceMs: 0 })).toEqual({
      kind: 'unobserved',
      why: 'the seconds since then are not whole yet',
    });
    expect(ask({ scope: { region: 'us-east' } }, { sinceMs: 1_999 }).kind).toBe('unobserved');
    expect(ask({ scope: { region: 'us-east' } }, { sinceMs: 2_000 }).kind).toBe('observed');
    expect(ask({ scope: { region: 'us-east' } }, { sinceMs: undefined }).kind).toBe('observed');
  });

  it('is not known while callers are silent that are waited for', () => {
    const silent = measured(MEMBERS, STREAMS, ['east-1', 'us-west']);
    const drain = of({ scope: { region: 'us-east' } });
    expect(residualOf(context, silent, { ...drain, sinceMs: 30_000, away: new Set() })).toEqual({
      ...{ kind: 'unobserved', why: 'not all is known of the callers in east-2, eu-west' },
    });
    expect(residualOf(context, silent, { ...drain, sinceMs: 30_000, away: new Set(['east-2', 'eu-west']) }).kind).toBe('observed');
  });

  it('is not none where nobody is known who could have called', () => {
    const drain = of({ scope: { region: 'us-east' } });
    const question: ResidualQuestion = { ...drain, sinceMs: 30_000, away: new Set() };
    const nobody = new TrafficMemory({ clusters: () => undefined, now: () => NOW });
    expect(residualOf(context, undefined, question)).toEqual({ kind: 'unobserved', why: 'this hub does not measure traffic' });
    expect(residualOf(context, nobody, question).kind).toBe('unobserved');
    const everybody = new Set(MEMBERS.map(({ name }) => name));
    expect(residualOf(context, measured(MEMBERS, [], []), { ...question, away: everybody }).kind).toBe('unobserved');
    expect(residualOf(context, measured(MEMBERS, []), question)).toEqual({ kind: 'idle' });
  });
});
