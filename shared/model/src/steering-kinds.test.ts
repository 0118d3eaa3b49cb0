/** What shifts, drains and failover policies may say. */
import { expect, it } from 'vitest';
import { hawser, issuesOf } from './validate-fixture.ts';

const drain = (course: object): object => hawser('Drain', { scope: { region: 'x' }, ...course }, { name: 'x' });
const wave = (name: string, after?: readonly string[]): object => ({
  ...{ name, selector: { names: [`x/${name}`] } },
  ...(after === undefined ? {} : { after }),
});

/** Everything that a shift may say of requests. */
const OF_REQUESTS = {
  services: ['a'],
  match: [{ headers: { 'x-a': { exact: '1' } }, uri: { prefix: '/a' }, method: { exact: 'GET' } }],
  headerRoute: { name: 'testers', match: { 'x-test': { exact: 'v2' } }, destination: 'v2' },
  mirror: { destination: 'v2', percent: 0.5 },
  stickiness: { cookie: { name: 'side', maxAge: '1h' } },
};
const SUBSETS = { ...OF_REQUESTS, subsets: { v1: 90, v2: 10 } };

const IN_STEPS = {
  services: ['a'],
  destinations: [
    { name: 'stable', subset: 'v1' },
    { name: 'canary', subset: 'v2' },
  ],
  steps: [{ setWeights: { stable: 90, canary: 10 } }, { pause: { duration: '5m' } }, { approval: {} }, { setWeights: { canary: 100 } }],
};
/** What is changed of a good shift in steps, and what is said of it. */
const STEPPED: readonly [string, object, readonly string[]][] = [
  ['steps', {}, []],
  ['steps in parts of 0.01 %', { totalWeight: 10_000, steps: [{ setWeights: { stable: 9_999, canary: 1 } }] }, []],
  ['steps that do not add up', { steps: [{ setWeights: { stable: 90, canary: 11 } }] }, ['spec.steps[0].setWeights FieldValueInvalid']],
  ['a start that does not add up', { start: { stable: 99 } }, ['spec.start FieldValueInvalid']],
  ['a destination that nobody knows', { steps: [{ setWeights: { other: 100 } }] }, ['spec.steps[0].setWeights.other FieldValueInvalid']],
  ['one destination', { destinations: [{ name: 'stable', subset: 'v1' }] }, ['spec.destinations FieldValueRequired']],
  [
    'destinations of two sorts',
    {
      destinations: [
        { name: 'stable', subset: 'v1' },
        { name: 'canary', region: 'x' },
      ],
    },
    ['spec.destinations[1] FieldValueInvalid'],
  ],
  ['no steps', { steps: [] }, ['spec.steps FieldValueRequired']],
  ['no destinations', { destinations: undefined }, ['spec.destinations FieldValueRequired']],
  ['a step of two sorts', { steps: [{ setWeights: { stable: 100 }, pause: {} }] }, ['spec.steps[0] FieldValueInvalid']],
  ['a step of nothing', { steps: [{}] }, ['spec.steps[0] FieldValueInvalid']],
  ['a pause of nothing', { steps: [{ pause: { duration: '0s' } }] }, ['spec.steps[0].pause.duration FieldValueInvalid']],
  ['a window that is too long', { advance: { observed: { window: '1h' } } }, ['spec.advance.observed.window FieldValueInvalid']],
  ['shares beside steps', { subsets: { v1: 100 } }, ['spec.subsets FieldValueInvalid']],
  [
    'a header route, and its end',
    {
      steps: [
        { setHeaderRoute: { name: 't', match: { 'x-t': { exact: '1' } }, destination: 'canary' } },
        { setHeaderRoute: { name: 't' } },
      ],
    },
    [],
  ],
  [
    'a header route to nowhere',
    { steps: [{ setHeaderRoute: { name: 't', match: { 'x-t': { exact: '1' } }, destination: 'v9' } }] },
    ['spec.steps[0].setHeaderRoute.destination FieldValueInvalid'],
  ],
  [
    'a mirror to nowhere',
    { steps: [{ setMirror: { destination: 'v9', percent: 5 } }] },
    ['spec.steps[0].setMirror.destination FieldValueInvalid'],
  ],
];

it.each<[string, string, object, readonly string[]]>([
  ...STEPPED.map(([name, changes, issues]): [string, string, object, readonly string[]] => [
    ...(['ts', name, hawser('TrafficShift', JSON.parse(JSON.stringify({ ...IN_STEPS, ...changes })))] as const),
    issues,
  ]),
  ['ts', 'shares below 100', hawser('TrafficShift', { services: ['a'], regions: { x: 50, y: 49 } }), ['spec.regions FieldValueInvalid']],
  ['ts', 'a bad region', hawser('TrafficShift', { services: ['a'], regions: { 'X Y': 100 } }), ['spec.regions["X Y"] FieldValueInvalid']],
  ['ts', 'shares of 100', hawser('TrafficShift', { services: ['a'], regions: { x: 50, y: 50 } }), []],
  ['ts', 'shares of nothing', hawser('TrafficShift', { services: ['a'] }), ['spec FieldValueInvalid']],
  [
    'ts',
    'shares of two sorts',
    hawser('TrafficShift', { services: ['a'], regions: { x: 100 }, clusters: { x: 100 } }),
    ['spec FieldValueInvalid'],
  ],
  ['ts', 'parts of 0.01 %', hawser('TrafficShift', { services: ['a'], subsets: { v1: 9999, v2: 1 }, totalWeight: 10_000 }), []],
  [
    'ts',
    'parts of 1000 that are 100',
    hawser('TrafficShift', { services: ['a'], clusters: { x: 100 }, totalWeight: 1_000 }),
    ['spec.clusters FieldValueInvalid'],
  ],
  ['ts', 'all that subsets may have', hawser('TrafficShift', SUBSETS), []],
  [
    'ts',
    'a mirror of regions',
    hawser('TrafficShift', { ...OF_REQUESTS, regions: { x: 100 } }),
    ['match', 'headerRoute', 'mirror', 'stickiness'].map((field) => `spec.${field} FieldValueInvalid`),
  ],
  [
    'ts',
    'two sorts of stickiness',
    hawser('TrafficShift', { ...SUBSETS, stickiness: { header: 'x-user', cookie: { name: 'c' } } }),
    ['spec.stickiness FieldValueInvalid'],
  ],
  [
    'ts',
    'a header that is none',
    hawser('TrafficShift', { ...SUBSETS, headerRoute: { name: 't', match: { 'x a': {} }, destination: 'v2' } }),
    ['spec.headerRoute.match["x a"] FieldValueInvalid'],
  ],
  [
    'ts',
    'a bad expression',
    hawser('TrafficShift', { ...SUBSETS, match: [{ uri: { regex: '(' } }] }),
    ['spec.match[0].uri.regex FieldValueInvalid'],
  ],
  [
    'ts',
    'a mirror of 101 %',
    hawser('TrafficShift', { ...SUBSETS, mirror: { destination: 'v2', percent: 101 } }),
    ['spec.mirror.percent FieldValueInvalid'],
  ],
  [
    'fp',
    'spill of two places',
    hawser('FailoverPolicy', { order: ['x'], spill: [{ service: 'a', from: { region: 'x', cluster: 'y' }, percent: 1 }] }),
    ['spec.spill[0].from FieldValueInvalid'],
  ],
  [
    'fp',
    'overflow of what is not known',
    hawser('FailoverPolicy', { order: ['x'], overflow: { at: 0.8 } }),
    ['spec.overflow FieldValueInvalid'],
  ],
  [
    'fp',
    'overflow that returns above',
    hawser('FailoverPolicy', { order: ['x'], capacity: { regions: { x: 100 } }, overflow: { at: 0.5, returnBelow: 0.6 } }),
    ['spec.overflow.returnBelow FieldValueInvalid'],
  ],
  ['fp', 'overflow', hawser('FailoverPolicy', { order: ['x'], capacity: { regions: { x: 100 }, learned: true }, overflow: {} }), []],
  ['drain', 'a region', hawser('Drain', { scope: { region: 'x' }, percent: 12.5 }, { name: 'x' }), []],
  [
    'drain',
    'a zone, services and destinations',
    hawser(
      'Drain',
      { scope: { zone: 'x/a' }, services: { names: ['a/b'] }, destinations: [{ region: 'y', weight: 3 }, { cluster: 'z' }] },
      { name: 'x' },
    ),
    [],
  ],
  ['drain', 'two scopes', hawser('Drain', { scope: { region: 'x', cluster: 'y' } }, { name: 'x' }), ['spec.scope FieldValueInvalid']],
  ['drain', 'no scope', hawser('Drain', {}, { name: 'x' }), ['spec.scope FieldValueRequired']],
  [
    'drain',
    'services of no name',
    hawser('Drain', { scope: { region: 'x' }, services: {} }, { name: 'x' }),
    ['spec.services FieldValueInvalid'],
  ],
  [
    'drain',
    'a destination twice',
    hawser('Drain', { scope: { region: 'x' }, destinations: [{ region: 'y' }, { region: 'y', weight: 2 }] }, { name: 'x' }),
    ['spec.destinations[1] FieldValueDuplicate'],
  ],
  ['drain', 'steps that fall', drain({ steps: [{ percent: 50 }, { percent: 50 }] }), ['spec.steps[1].percent FieldValueInvalid']],
  ['drain', 'steps of an emergency', drain({ urgency: 'emergency', steps: [{ percent: 100 }] }), ['spec.steps FieldValueInvalid']],
  ['drain', 'more than three days', drain({ expiresIn: '73h' }), ['spec.expiresIn FieldValueInvalid']],
  ['drain', 'a way back to half', drain({ restore: { steps: [{ percent: 50 }] } }), ['spec.restore.steps FieldValueInvalid']],
  ['drain', 'a ticket that is none', drain({ ticket: 'OPS-1' }), ['spec.ticket FieldValueInvalid']],
  ['drain', 'waves of an emergency', drain({ urgency: 'emergency', waves: [wave('a')] }), ['spec.waves FieldValueInvalid']],
  ['drain', 'a wave twice', drain({ waves: [wave('a'), wave('a')] }), ['spec.waves[1].name FieldValueInvalid']],
  ['drain', 'a wave after none', drain({ waves: [wave('a', ['b'])] }), ['spec.waves[0].after[0] FieldValueInvalid']],
  [
    'drain',
    'waves in a circle',
    drain({ waves: [wave('a', ['b']), wave('b', ['a']), wave('c')] }),
    ['spec.waves[0].after FieldValueInvalid', 'spec.waves[1].after FieldValueInvalid'],
  ],
  ['drain', 'a wave of nothing', drain({ waves: [{ name: 'a', selector: {} }] }), ['spec.waves[0].selector FieldValueInvalid']],
  ['drain', 'waves', drain({ waves: [wave('c', ['a', 'b']), wave('a'), wave('b', ['a'])], restore: { approval: 2 } }), []],
  [
    'drain',
    'a course',
    drain({ reason: 'a drill', expiresIn: '8h', restore: { steps: [{ percent: 20, hold: '1m' }, { percent: 100 }] } }),
    [],
  ],
  ['drain', 'a namespace', hawser('Drain', { scope: { region: 'x' } }), ['metadata.namespace FieldValueForbidden']],
  ['fp', 'a region twice', hawser('FailoverPolicy', { order: ['x', 'x'] }), ['spec.order[1] FieldValueDuplicate']],
  ['fp', 'a foreign spillover', hawser('FailoverPolicy', { order: ['x'], spillover: 'fast' }), ['spec.spillover FieldValueNotSupported']],
])('%s with %s', (name, _title, input, expected) => {
  expect(issuesOf(input, name)).toEqual(expected);
});
