import type { DrillRunStatusFields } from '@hawser/wire/drill-views.ts';
import { describe, expect, it } from 'vitest';
import { type DrillRunResource, plainRun, runLines, runTable } from './run-lines.ts';

const START = '2026-11-23T10:00:00.000Z';
const NOW = Date.parse(START) + 42_000;

function run(status: Partial<DrillRunStatusFields>, name = 'lose-east-1'): DrillRunResource {
  return {
    ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'DrillRun', metadata: { name, creationTimestamp: START } },
    spec: {
      ...{ drill: 'lose-east', trigger: 'manual', mode: 'live', reason: 'a test' },
      plan: {
        scenario: { type: 'regionLoss', from: { region: 'us-east' }, fault: 'drop' },
        objectives: { rto: '5s' },
        blastRadius: { services: { names: ['bookinfo/reviews'] } },
      },
    },
    status: {
      ...{ phase: 'Holding', mode: 'live', startedBy: 'alice' },
      phases: [
        { phase: 'Preflight', at: START },
        { phase: 'Injecting', at: '2026-11-23T10:00:02.000Z' },
        { phase: 'Holding', at: '2026-11-23T10:00:05.000Z' },
      ],
      timeline: [{ at: START, event: 'Requested', detail: 'by alice (manual, live)' }],
      ...status,
    },
  };
}

describe('a run as text', () => {
  it('has phases, time, recovery so far, requests that failed, and checks', () => {
    const checks = [
      { name: 'errors', role: 'guardrail', verdict: 'passed', value: 0.00123456 },
      { name: 'latency', role: 'steadyState', verdict: 'inconclusive', message: 'no data' },
    ];
    expect(runLines(run({ checks, requests: 4_000, requestsFailed: 3, rtoMs: 850, proxies: { expected: 12, acked: 12 } }), NOW)).toEqual([
      'run lose-east-1 of drill lose-east: regionLoss of region us-east (drop), live',
      '  Holding after 42s, asked for by alice: a test',
      '  12 of 12 proxies have acknowledged it',
      '  3 of 4000 requests failed',
      '  recovery so far 0.85s, objective 5s',
      '  √ guardrail errors: passed 0.001235',
      '  ‼ steadyState latency: inconclusive (no data)',
      '  Preflight 2s → Injecting 3s → Holding 37s',
      '  10:00:00 Requested: by alice (manual, live)',
    ]);
  });

  it('that is over has its outcome, its time and what was measured', () => {
    const phases = [
      { phase: 'Preflight', at: START },
      { phase: 'Done', at: '2026-11-23T10:00:10.000Z' },
    ];
    const results = { requests: 10, requestsFailed: 0, rtoMs: 12_000 };
    const lines = runLines(run({ phase: 'Done', outcome: 'Failed', message: 'rto was 12000 ms', phases, results, timeline: [] }), NOW);
    expect(lines.slice(1)).toEqual([
      '  Failed after 10s, asked for by alice: a test',
      '  rto was 12000 ms',
      '  0 of 10 requests failed',
      '  recovery took 12s, objective 5s',
      '  Preflight 10s → Done',
    ]);
  });

  it('says whose consent it waits for, and that it is held until somebody asks for the way back', () => {
    const asked = runLines(run({ phase: 'AwaitingApproval', approvalsNeeded: 2, approvalGroups: ['sre', 'payments'] }), NOW);
    expect(asked).toContain('  0 of 2 approvals of sre or payments: hawser drill approve lose-east-1');
    const held = runLines(run({ waiting: 'it is held until somebody asks for the way back: hawser drill restore' }), NOW);
    expect(held).toContain('  waits: it is held until somebody asks for the way back: hawser drill restore');
  });

  it('asks for consent, and shows what people said', () => {
    const approvals = [{ by: 'bob', at: START, verdict: 'approved', comment: 'go' }];
    const notes = [{ by: 'carol', at: START, text: 'all quiet' }];
    const denied = [...approvals, { by: 'dave', at: START, verdict: 'denied', comment: '' }];
    expect(runLines(run({ phase: 'AwaitingApproval', approvalsNeeded: 1, approvals }), NOW).join(' ')).not.toContain(
      'hawser drill approve',
    );
    expect(runLines(run({ phase: 'AwaitingApproval', approvalsNeeded: 2, approvals: denied }), NOW).join(' ')).toContain(
      '1 of 2 approvals',
    );
    const lines = runLines(run({ phase: 'AwaitingApproval', approvalsNeeded: 2, approvals, notes }), NOW);
    expect(lines).toContain('  1 of 2 approvals: hawser drill approve lose-east-1');
    expect(lines.slice(-2)).toEqual(['  10:00:00 approved by bob: go', '  10:00:00 note by carol: all quiet']);
  });

  it('for a log does not change with every number', () => {
    const at = (percent: string, requestsFailed: number) =>
      plainRun(run({ waiting: `${percent} % of the window is known`, requestsFailed }));
    expect(at('12.5', 2)).toBe(at('80', 3));
    expect(at('1', 0)).toBe('lose-east-1: Holding; some % of the window is known');
    expect(plainRun(run({ phase: 'Done', outcome: 'Passed' }))).toBe('lose-east-1: Done (Passed)');
  });

  it('stands in a table after those that want consent', () => {
    const [, first, second] = runTable([run({}), run({ phase: 'AwaitingApproval' }, 'waits')], NOW);
    expect([first, second]).toEqual([expect.stringMatching(/^waits .*AwaitingApproval/), expect.stringMatching(/^lose-east-1 .*Holding/)]);
    expect(runTable([], NOW)).toEqual(['no drill is under way']);
  });
});
