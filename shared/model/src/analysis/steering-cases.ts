/** Cases of what moves traffic: shifts and drains. */
import { aged, type Case, written } from './case.ts';

const STEPS = [{ setWeights: { a: 50, b: 50 } }];
const among = (sort: string, a: string, b: string) => ({
  services: ['reviews'],
  destinations: [
    { name: 'a', [sort]: a },
    { name: 'b', [sort]: b },
  ],
  steps: STEPS,
});
const shift = (spec: object, second = 0) => written('TrafficShift', `t${second}`, spec, aged(second));
const drain = (scope: object, more: object = {}, second = 0) =>
  written('Drain', `d${second}`, { scope, reason: 'switches', ...more }, { namespace: '', ...aged(second) });
const fixed = { services: ['reviews'], regions: { 'us-east': 50, 'us-west': 50 } };

/** By code. */
export const STEERING_CASES: Readonly<Record<'HW0506' | 'HW0507' | 'HW0508' | 'HW0509', Case>> = {
  HW0506: {
    finds: [shift(among('cluster', 'us-east', 'mars'))],
    field: 'spec.destinations[1].cluster',
    not: [shift(among('cluster', 'us-east', 'us-west')), drain({ cluster: 'us-east' })],
  },
  HW0507: {
    finds: [shift(among('region', 'us-east', 'us-west')), shift(fixed, 1)],
    field: 'spec.services[0]',
    // Places and versions stand beside each other; of fixed shares the oldest wins.
    not: [
      shift(fixed),
      shift(fixed, 1),
      shift(among('subset', 'v1', 'v2'), 2),
      shift({ ...among('region', 'us-east', 'us-west'), services: ['ratings'] }, 3),
    ],
  },
  HW0508: {
    finds: [shift(fixed), drain({ region: 'us-west' })],
    field: 'spec.regions.us-west',
    not: [
      shift({ services: ['reviews'], regions: { 'us-east': 100, 'us-west': 0 } }),
      drain({ region: 'us-west' }),
      drain({ region: 'us-east' }, { services: { names: ['bookinfo/ratings'] } }, 1),
    ],
  },
  HW0509: {
    finds: [drain({ region: 'us-west' }), drain({ cluster: 'us-west' }, {}, 1)],
    field: 'spec.scope',
    not: [drain({ region: 'us-west' }), drain({ cluster: 'us-east' }, {}, 1), drain({ region: 'us-west' }, { percent: 0 }, 2)],
  },
};
