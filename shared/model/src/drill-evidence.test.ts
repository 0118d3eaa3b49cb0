import { expect, test } from 'vitest';
import { DrillEvidence } from './drill-evidence.ts';
import { schemaProblems } from './validate-schema.ts';

const { timings } = DrillEvidence.properties;

test('null is "not known", and nothing else stands for it', () => {
  const known = {
    decideMs: 1,
    propagateP50Ms: 1,
    propagateP99Ms: 2,
    injectMs: null,
    detectMs: null,
    recoverMs: 3,
    restoreMs: 4,
    rtoMs: 5.5,
  };
  expect(schemaProblems(timings, { ...known, rtoResolutionMs: null })).toEqual([]);
  expect(schemaProblems(timings, { ...known, rtoResolutionMs: '' })).toMatchObject([{ steps: ['rtoResolutionMs'] }]);
  expect(schemaProblems(timings, { ...known, rtoResolutionMs: -1 })).toHaveLength(1);
});
