/** What drills may say. */
import { expect, it } from 'vitest';
import type { DrillSpec } from './drill.ts';
import { drillCourse } from './drill-course.ts';
import { hawser, issuesOf } from './validate-fixture.ts';

const GUARDRAIL = { name: 'errors', source: { hub: { metric: 'errorRatio' } }, condition: 'result < 0.05' };
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
  ['a scenario that is not there', { scenario: { type: 'trustRotation' } }, ['spec.scenario.type FieldValueNotSupported']],
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
])('a drill of %s', (_, changes, issues) => {
  const spec = JSON.parse(JSON.stringify({ ...SOUND, ...changes }));
  expect(issuesOf(hawser('Drill', spec, { name: 'x' }), 'drill')).toEqual(issues);
});

it('has defaults for what is not said', () => {
  expect(drillCourse(SOUND as DrillSpec)).toMatchObject({
    ...{ rtoMs: 30_000, propagationMs: 30_000, holdMs: 600_000, maxDurationMs: 3_600_000 },
    approvals: { required: 1, expiresAfterMs: 14_400_000, allowSelf: false },
    readiness: { minHeadroomPercent: 20, minHealthyEndpointsPercent: 80, maxAgentLagMs: 30_000, minSyncedProxiesPercent: 99 },
  });
});
