import type { CheckSpec } from '@hawser/model/check.ts';
import { type CheckState, unchecked } from '@hawser/model/check-verdict.ts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { UnderWay } from '../operations/operation-kind.ts';
import { DrillGuardrails } from './drill-guardrails.ts';
import type { DrillState } from './drill-state.ts';

const GUARD = { name: 'errors', source: { hub: { metric: 'errorRatio' } }, condition: 'result < 0.5' };
const runOf = (phase: DrillState['phase'], checked?: DrillState['checked'], plan: object = {}): UnderWay<DrillState> => ({
  resource: {
    ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'DrillRun', metadata: { name: 'run', uid: 'uid' } },
    spec: { drill: 'lose', trigger: 'manual', mode: 'live', plan: { objectives: { rto: '1s' }, guardrails: [GUARD], ...plan } },
  },
  state: { phase, percent: 0, ...(checked === undefined ? {} : { checked }) } as DrillState,
});

describe('the checks of a run', () => {
  let begun: (readonly CheckState[])[] = [];
  /** Each sample of theirs is told apart by how many there were. */
  let taken = 0;
  const leader = (): DrillGuardrails =>
    new DrillGuardrails((specs: readonly CheckSpec[], _, goesOn = []) => {
      begun.push(goesOn);
      const states = (): CheckState[] =>
        specs.map(({ name }) => ({ ...(goesOn[0] ?? unchecked({ name, action: 'abort' })), verdict: 'passed', taken }));
      return { verdicts: states, stop: () => undefined };
    });
  const services = (): readonly string[] => [];

  beforeEach(() => {
    [begun, taken] = [[], 1];
  });

  it('are of the part that they are for: what blocks it before, and what is recorded from when something is in force', () => {
    const guardrails = leader();
    const plan = { blockers: [{ ...GUARD, name: 'alerts' }], objectives: { rto: '1s', rpoQuery: { query: 'lag' } } };
    const said = (phase: DrillState['phase']): readonly string[] => {
      const run = runOf(phase, undefined, plan);
      guardrails.attend([run], services);
      return (guardrails.checks('uid', run.state) ?? []).map(({ role, state }) => `${role} ${state.name}`);
    };
    expect(said('Preflight')).toEqual(['guardrail errors', 'blocker alerts']);
    expect(said('Injecting')).toEqual(['guardrail errors', 'objective rpo']);
    expect(said('Restoring')).toEqual(['guardrail errors', 'objective rpo']);
    expect(guardrails.record('uid').map(({ role, when }) => `${role} ${when.join()}`)).toEqual([
      ...['guardrail before', 'blocker before', 'guardrail during', 'objective during', 'guardrail after', 'objective after'],
    ]);
  });

  it('go on under another leader, with what was said in the parts before', () => {
    const first = leader();
    first.attend([runOf('Preflight')], services);
    taken = 2;
    first.attend([runOf('Holding')], services);
    taken = 3;
    const kept = JSON.parse(JSON.stringify(first.kept('uid'))) as NonNullable<DrillState['checked']>;
    const second = leader();
    second.attend([runOf('Holding', kept)], services);
    expect(begun).toEqual([[], [], [expect.objectContaining({ name: 'errors', taken: 3 })]]);
    taken = 4;
    expect(second.record('uid').map(({ when, state }) => [...when, state.taken])).toEqual([
      ['before', 2],
      ['during', 4],
    ]);
  });

  it('begin anew in another part, whoever leads', () => {
    const first = leader();
    first.attend([runOf('Holding')], services);
    const kept = first.kept('uid');
    const second = leader();
    second.attend([runOf('Restoring', kept)], services);
    expect(begun).toEqual([[], []]);
    expect(second.record('uid').map(({ when }) => when)).toEqual([['during'], ['after']]);
    second.attend([], services);
    expect([second.kept('uid'), second.record('uid')]).toEqual([undefined, []]);
  });
});
