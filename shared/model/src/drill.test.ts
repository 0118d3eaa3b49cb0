/** What drills may say. */
import { expect, it } from 'vitest';
import type { DrillSpec } from './drill.ts';
import { drillCourse, scenarioPlace } from './drill-course.ts';
import { hawser, issuesOf } from './validate-fixture.ts';

const GUARDRAIL = { name: 'errors', source: { hub: { metric: 'errorRatio' } }, condition: 'result < 0.05' };
const ALERTS = { name: 'alerts', source: { prometheus: { query: 'count(ALERTS) or vector(0)' } }, condition: 'result == 0.0' };
const RPO = { rto: '30s', rpoQuery: { query: 'max(pg_replication_lag_seconds)' } };
const SHIFT = {
  destinations: [
    { name: 'v1', subset: 'v1' },
    { name: 'v2', subset: 'v2' },
  ],
  steps: [{ setWeights: { v1: 90, v2: 10 } }, { pause: { duration: '30s' } }, { setWeights: { v2: 100 } }],
};
const SOUND = {
  scenario: { type: 'regionLoss', from: { region: 'eu-west' } },
  mode: 'live',
  objectives: { rto: '30s' },
  guardrails: [GUARDRAIL],
  blastRadius: { services: { namespaces: ['shop'] } },
};

it.each<[string, object, readonly string[]]>([
  ['a region', {}, []],
  ['a region that answers late', { scenario: { ...SOUND.scenario, fault: 'delay', delay: '500ms', percent: 50 } }, []],
  ['a service of a zone in error', { scenario: { type: 'serviceLoss', from: { zone: 'eu-west/a' }, fault: 'error', status: 502 } }, []],
  [
    'a drain in steps',
    { scenario: { type: 'drain', from: { cluster: 'a' } }, plan: { steps: [{ percent: 10 }, { percent: 100, hold: '1m' }] } },
    [],
  ],
  ['the bus of all', { scenario: { type: 'busPartition' } }, []],
  ['nothing that ends it', { guardrails: undefined }, ['spec.guardrails FieldValueRequired']],
  ['nothing that ends a dry run', { guardrails: undefined, mode: 'dryRun' }, []],
  ['no place', { scenario: { type: 'regionLoss' } }, ['spec.scenario.from FieldValueRequired']],
  ['two places', { scenario: { type: 'serviceLoss', from: { region: 'a', cluster: 'b' } } }, ['spec.scenario.from FieldValueInvalid']],
  ['a region by a cluster', { scenario: { type: 'regionLoss', from: { cluster: 'b' } } }, ['spec.scenario.from FieldValueInvalid']],
  ['a scenario that is not there', { scenario: { type: 'flood' } }, ['spec.scenario.type FieldValueNotSupported']],
  ['a shift', { scenario: { type: 'trafficShift', shift: SHIFT } }, []],
  ['a shift of nothing', { scenario: { type: 'trafficShift' } }, ['spec.scenario.shift FieldValueRequired']],
  [
    'a shift from a place',
    { scenario: { type: 'trafficShift', shift: SHIFT, from: { region: 'a' } } },
    ['spec.scenario.from FieldValueInvalid'],
  ],
  ['a shift of a loss', { scenario: { ...SOUND.scenario, shift: SHIFT } }, ['spec.scenario.shift FieldValueInvalid']],
  [
    'a shift in two namespaces',
    { scenario: { type: 'trafficShift', shift: SHIFT }, blastRadius: { services: { names: ['a/x', 'b/x'] } } },
    ['spec.blastRadius.services FieldValueInvalid'],
  ],
  [
    'a shift that waits for people',
    { scenario: { type: 'trafficShift', shift: { ...SHIFT, steps: [{ pause: {} }, { approval: {} }, { pause: { duration: '10s' } }] } } },
    ['spec.scenario.shift.steps[0] FieldValueInvalid', 'spec.scenario.shift.steps[1] FieldValueInvalid'],
  ],
  [
    'a shift of more than all',
    { scenario: { type: 'trafficShift', shift: { ...SHIFT, steps: [{ setWeights: { v1: 50, v2: 60 } }] } } },
    ['spec.scenario.shift.steps[0].setWeights FieldValueInvalid'],
  ],
  ['a rotation', { scenario: { type: 'trustRotation', cluster: 'a', authority: 'intermediate' } }, []],
  ['a rotation of nobody', { scenario: { type: 'trustRotation' } }, ['spec.scenario.cluster FieldValueRequired']],
  [
    'a cluster of a drain',
    { scenario: { type: 'drain', from: { region: 'a' }, cluster: 'a' } },
    ['spec.scenario.cluster FieldValueInvalid'],
  ],
  ['a fault of a drain', { scenario: { type: 'drain', from: { region: 'a' }, fault: 'drop' } }, ['spec.scenario.fault FieldValueInvalid']],
  ['a status of a refusal', { scenario: { ...SOUND.scenario, status: 503 } }, ['spec.scenario.status FieldValueInvalid']],
  ['half of a refusal', { scenario: { ...SOUND.scenario, percent: 50 } }, ['spec.scenario.percent FieldValueInvalid']],
  ['services of no name', { blastRadius: { services: {} } }, ['spec.blastRadius.services FieldValueInvalid']],
  ['no services', { blastRadius: {} }, ['spec.blastRadius.services FieldValueRequired']],
  ['steps of a loss', { plan: { steps: [{ percent: 100 }] } }, ['spec.plan.steps FieldValueInvalid']],
  [
    'steps to half',
    { scenario: { type: 'drain', from: { region: 'a' } }, plan: { steps: [{ percent: 50 }] } },
    ['spec.plan.steps FieldValueInvalid'],
  ],
  ['no objective', { objectives: {} }, ['spec.objectives.rto FieldValueRequired']],
  ['an objective of nothing', { objectives: { rto: '0s' } }, ['spec.objectives.rto FieldValueInvalid']],
  ['more than a day', { plan: { maxDuration: '25h' } }, ['spec.plan.maxDuration FieldValueInvalid']],
  ['a day that is not in the calendar', { windows: { blockedDates: ['2026-02-30'] } }, ['spec.windows.blockedDates[0] FieldValueInvalid']],
  ['a check twice', { steadyState: [GUARDRAIL] }, ['spec.steadyState[0].name FieldValueInvalid']],
  ['a blocker as a guardrail', { blockers: [GUARDRAIL] }, ['spec.blockers[0].name FieldValueInvalid']],
  [
    'a check by the name of what is recorded',
    { objectives: RPO, steadyState: [{ ...GUARDRAIL, name: 'rpo' }] },
    ['spec.steadyState[0].name FieldValueInvalid'],
  ],
  ['what it obeys, asks and records', { freezeRefs: ['payday'], objectives: RPO, blockers: [ALERTS], approvals: { groups: ['sre'] } }, []],
  ['a blocker while it goes on', { blockers: [{ ...ALERTS, when: ['during'] }] }, ['spec.blockers[0].when FieldValueInvalid']],
  ['a way back that is asked for', { restore: { mode: 'manual' } }, []],
  [
    'a way back that nobody can ask for',
    { scenario: { type: 'hubLoss' }, restore: { mode: 'manual' } },
    ['spec.restore.mode FieldValueInvalid'],
  ],
  ['a loss that waits for readiness', { restore: { requireReadiness: false } }, ['spec.restore.requireReadiness FieldValueInvalid']],
  ['a drain to somewhere', { scenario: { type: 'drain', from: { region: 'a' }, to: [{ region: 'b', weight: 3 }, { cluster: 'c' }] } }, []],
  [
    'a drain to one place twice',
    { scenario: { type: 'drain', from: { region: 'a' }, to: [{ region: 'b' }, { region: 'b' }] } },
    ['spec.scenario.to[1] FieldValueDuplicate'],
  ],
  ['a loss to somewhere', { scenario: { ...SOUND.scenario, to: [{ region: 'b' }] } }, ['spec.scenario.to FieldValueInvalid']],
])('a drill of %s', (_, changes, issues) => {
  const spec = JSON.parse(JSON.stringify({ ...SOUND, ...changes }));
  expect(issuesOf(hawser('Drill', spec, { name: 'x' }), 'drill')).toEqual(issues);
});

it('is held for as long as it is said, and with a way back that is asked for no longer', () => {
  const holdOf = (changes: Partial<DrillSpec>): number => drillCourse({ ...(SOUND as DrillSpec), ...changes }).holdMs;
  expect(holdOf({ restore: { mode: 'manual' } })).toBe(0);
  expect(holdOf({ restore: { mode: 'manual' }, plan: { hold: '1m' } })).toBe(60_000);
});

it.each<[DrillSpec['scenario'], string]>([
  [{ type: 'trafficShift', shift: SHIFT }, 'v1 to v2'],
  [{ type: 'trafficShift', shift: { ...SHIFT, steps: [{ setWeights: { v1: 40, v2: 60 } }] } }, 'v1 to v1 40, v2 60'],
  [{ type: 'trustRotation', cluster: 'east' }, 'cluster east'],
  [{ type: 'hubLoss' }, 'every cluster'],
])('%o is of %s', (scenario, place) => {
  expect(scenarioPlace(scenario)).toBe(place);
});

it('has defaults for what is not said', () => {
  expect(drillCourse(SOUND as DrillSpec)).toMatchObject({
    ...{ rtoMs: 30_000, propagationMs: 30_000, holdMs: 600_000, maxDurationMs: 3_600_000 },
    approvals: { required: 1, expiresAfterMs: 14_400_000, allowSelf: false, groups: [] },
    restore: { isManual: false, requireReadiness: true },
    readiness: { minHeadroomPercent: 20, minHealthyEndpointsPercent: 80, maxAgentLagMs: 30_000, minSyncedProxiesPercent: 99 },
  });
});
