/**
 * In which order test files run. A few files wait for minutes (for leases, restarts, steps of a shift) while hundreds are done in moments and
 * use a processor whole: mixed, workers that wait leave the processors to those that work, and no long file is left for the end.
 */
import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take longest on two processors, the longest first. One that is missing here costs time and nothing else. */
export const LONGEST: readonly string[] = [
  'test/feature/scale-to-replicas.test.ts',
  'test/kubernetes/multicluster.test.ts',
  'services/hub/src/hub-faults.test.ts',
  'test/feature/shift.test.ts',
  'test/feature/traffic.test.ts',
  'test/feature/rotation.test.ts',
  'test/feature/shared-trust-domain.test.ts',
  'test/feature/ended-trust.test.ts',
  'test/feature/drain.test.ts',
  'test/kubernetes/source-faults.test.ts',
  'test/feature/drill-commands.test.ts',
  'test/kubernetes/adoption.test.ts',
  'test/feature/drain-measured.test.ts',
  'test/feature/history.test.ts',
  'test/bench/xds-rig.test.ts',
  'test/feature/bad-input.test.ts',
  'test/feature/nats-cluster.test.ts',
  'test/feature/agent-failover.test.ts',
  'services/hub/src/hub-outages.test.ts',
  'test/feature/shift-guards.test.ts',
  'services/hub/src/resource/watch/slow-watch.test.ts',
  'test/feature/copied-keys.test.ts',
  'services/hub/src/trust/rotation-leaders.test.ts',
  'test/feature/poison.test.ts',
  'test/feature/trust-domains.test.ts',
  'test/feature/workload-group.test.ts',
  'test/feature/full-disk.test.ts',
  'test/feature/cold-start.test.ts',
  'shared/bus/src/documents.test.ts',
  'services/hub/src/postgres/embedded-postgres.test.ts',
  'test/simulation/simulation.test.ts',
];

/** How much of the short files is spread between the long ones; the rest ends the run, so that all workers end together. */
const SPREAD = 0.7;

/** The long ones, longest first, with the others spread evenly between them in the order that they have. */
export function mixed(files: readonly string[], longest: readonly string[] = LONGEST): string[] {
  const long = longest.filter((file) => files.includes(file));
  const short = files.filter((file) => !long.includes(file));
  const between = Math.floor((short.length * SPREAD) / Math.max(1, long.length));
  const spread = long.flatMap((file, index) => [file, ...short.slice(index * between, (index + 1) * between)]);
  return [...spread, ...short.slice(long.length * between)];
}

/** Vitest's own order, larger files first, with the long ones spread through it. */
export class MixedSequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const byName = new Map((await super.sort(files)).map((file) => [relative(file.project.config.root, file.moduleId), file]));
    return mixed([...byName.keys()]).flatMap((name) => byName.get(name) ?? []);
  }
}
