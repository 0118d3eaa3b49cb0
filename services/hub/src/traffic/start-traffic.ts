/** The hub's ear for traffic, put together. */
import type { Bus } from '@hawser/bus/bus.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { RunGroup } from '@hawser/runtime/run-group.ts';
import type { Database } from '../db/database.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { collectTraffic } from './report-collector.ts';
import { TrafficMemory } from './traffic-memory.ts';
import { restoreTraffic, startTrafficRollup } from './traffic-rollup.ts';

/** What it is made of. */
export interface TrafficParts {
  readonly bus: Bus;
  readonly database: Database;
  readonly context: FleetContext;
  readonly log: Logger;
  readonly group: RunGroup;
  /** Whether this hub is the one that writes. */
  leads(): boolean;
  readonly onRefused: (reason: string) => void;
}

/** Measured traffic, and whose it may be. */
export interface RunningTraffic {
  readonly memory: TrafficMemory;
  /** The members; undefined while they are not known. */
  clusters(): readonly string[] | undefined;
}

/** Takes up what was written, then listens and writes until the hub stops. */
export async function startTraffic({ bus, database, context, log, group, leads, onRefused }: TrafficParts): Promise<RunningTraffic> {
  const { fleet, distribution } = context;
  const clusters = (): readonly string[] | undefined =>
    distribution.desired === undefined ? undefined : fleet.clusters().map(({ member }) => member.name);
  const memory = new TrafficMemory({ clusters });
  await restoreTraffic(database, memory);
  const stopListening = collectTraffic(bus, { fleet, memory, log, onRefused });
  const rollup = startTrafficRollup({ database, memory, leads, clusters, log });
  group.onStop('traffic', async () => {
    stopListening();
    await rollup.stop();
  });
  return { memory, clusters };
}
