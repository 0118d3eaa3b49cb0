/** The kinds whose resources move traffic in steps. */
import type { Registry } from '@hawser/runtime/metrics.ts';
import { drainKind } from '../drain/drain-kind.ts';
import { DrainAccounts, registerDrainMetrics } from '../drain/drain-metrics.ts';
import { drainMoves } from '../drain/drain-world.ts';

import { drillRunKind } from '../drill/drill-run-kind.ts';
import type { LeaseRenewal } from '../drill/lease-renewal.ts';
import type { SaveReport } from '../drill-report/report-store.ts';
import type { LearnedCapacity } from '../overflow/learned-capacity.ts';
import { overflowKind } from '../overflow/overflow-kind.ts';
import { type ShiftParts, shiftKind } from '../shift/shift-kind.ts';
import type { TracedTraffic } from '../traffic/traffic-trace.ts';
import type { OperationKind } from './operation-kind.ts';

/** What they are moved with. */
export interface OperationKindParts extends ShiftParts {
  /** Undefined while traffic is not measured. */
  readonly traffic: () => TracedTraffic | undefined;
  readonly registry: Registry;
  /** Keeps the evidence of runs of drills. */
  readonly saveReport?: SaveReport;
  /** Tells agents that runs of drills are attended to; without it they lift what they break. */
  readonly leases?: Pick<LeaseRenewal, 'attend'>;
}

/** All of them; each has a line in `OPERATED_KINDS`, and its commands in `access/permissions.ts`. */
export function operationKinds({ registry, ...parts }: OperationKindParts): readonly OperationKind[] {
  const drains = new DrainAccounts();
  registerDrainMetrics(registry, drains);
  let learned: LearnedCapacity = new Map();
  const onLearned = (now: LearnedCapacity): void => {
    learned = now;
  };
  const moves = { underWay: () => drainMoves(parts.context) };
  const startChecks = parts.startChecks ?? (() => ({ verdicts: () => [], stop: () => undefined }));
  return [
    shiftKind({ moves, registry, ...parts }),
    drainKind({ ...parts, drains, learned: () => learned }) as OperationKind,
    drillRunKind({ ...parts, startChecks }) as OperationKind,
    overflowKind({ ...parts, onLearned }),
  ];
}
