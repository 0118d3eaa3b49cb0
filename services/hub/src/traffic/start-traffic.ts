/** The hub's ear for traffic, put together. */
import type { Bus } from '@hawser/bus/bus.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { RunGroup } from '@hawser/runtime/run-group.ts';
import type { Signer } from '@hawser/wire/signing.ts';
import { PAST_TRAFFIC, PastTrafficResponse } from '@hawser/wire/traffic.ts';
import { Compile } from 'typebox/compile';
import type { Database } from '../db/database.ts';
import { type AskParts, askAgent } from '../fleet/ask-agent.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { AskAgain } from './missed-reports.ts';
import { collectTraffic } from './report-collector.ts';
import { TrafficMemory } from './traffic-memory.ts';
import { restoreTraffic, startTrafficRollup } from './traffic-rollup.ts';

/** What it is made of. */
export interface TrafficParts {
  readonly bus: Bus;
  readonly database: Database;
  readonly context: FleetContext;
  /** For questions to agents. */
  readonly signer: Signer;
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
export async function startTraffic({
  bus,
  database,
  context,
  signer,
  log,
  group,
  leads,
  onRefused,
}: TrafficParts): Promise<RunningTraffic> {
  const { fleet, distribution } = context;
  const clusters = (): readonly string[] | undefined =>
    distribution.desired === undefined ? undefined : fleet.clusters().map(({ member }) => member.name);
  const memory = new TrafficMemory({ clusters, askAgain: pastAsker({ context, bus, signer }) });
  await restoreTraffic(database, memory);
  const stopListening = collectTraffic(bus, { fleet, memory, log, onRefused });
  const rollup = startTrafficRollup({ database, memory, leads, clusters, log });
  group.onStop('traffic', async () => {
    stopListening();
    await rollup.stop();
  });
  return { memory, clusters };
}

const ANSWER_MS = 2_000;
const response = Compile(PastTrafficResponse);
const isResponse = (value: unknown): value is PastTrafficResponse => response.Check(value);

/** Asks over the bus; false where an agent of a release back knows no such question. */
function pastAsker(parts: AskParts): AskAgain {
  return async ({ cluster, replica }, sinceMs) => {
    const question = { cluster, replica, method: PAST_TRAFFIC, timeoutMs: ANSWER_MS, isAnswer: isResponse } as const;
    return 'telling' in (await askAgent(parts, { ...question, body: { sinceMs: Math.round(sinceMs) } }));
  };
}
