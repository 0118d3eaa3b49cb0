/** PURE: the static shift that agents get of one in steps. */
import { type SteppedShift, targetOf } from '@hawser/model/progressive-shift.ts';
import type { TrafficShiftSpec } from '@hawser/model/traffic-shift.ts';
import type { ShiftState } from './shift-state.ts';

const DIVISION = { region: 'regions', cluster: 'clusters', subset: 'subsets' } as const;

/** What is in force of it. */
export function formOf(spec: TrafficShiftSpec & SteppedShift, state: ShiftState): TrafficShiftSpec {
  const { services, totalWeight, match, stickiness, destinations } = spec;
  const targets = new Map(destinations.map((one) => [one.name, targetOf(one)]));
  const target = (name: string): string => targets.get(name)?.target ?? '';
  const division = DIVISION[targetOf(destinations[0] ?? { name: '' }).sort];
  const { headerRoute, mirror } = state;
  return {
    services,
    [division]: Object.fromEntries(destinations.map(({ name }) => [target(name), state.weights[name] ?? 0])),
    ...(totalWeight === undefined ? {} : { totalWeight }),
    ...(match === undefined ? {} : { match }),
    ...(headerRoute?.match === undefined
      ? {}
      : { headerRoute: { name: headerRoute.name, match: headerRoute.match, destination: target(headerRoute.destination ?? '') } }),
    ...(mirror === undefined ? {} : { mirror: { destination: target(mirror.destination), percent: mirror.percent } }),
    ...(stickiness === undefined ? {} : { stickiness }),
  };
}
