/** A hub with every route of the product, over a fleet of which nothing is heard and a bus that is away. */
import type { Bus } from '@hawser/bus/bus.ts';
import { FoundAccounts } from '@hawser/hub/adoption/found-accounts.ts';
import { ReadinessKeeper } from '@hawser/hub/drill/readiness-keeper.ts';
import { AgentAccounts } from '@hawser/hub/fleet/agent-accounts.ts';
import type { FleetContext } from '@hawser/hub/fleet/fleet-context.ts';
import { FleetState } from '@hawser/hub/fleet/fleet-state.ts';
import { addHubRoutes } from '@hawser/hub/hub-routes.ts';
import { TrafficMemory } from '@hawser/hub/traffic/traffic-memory.ts';
import { generateSigner } from '@hawser/wire/signing.ts';
import { startTestHub, type TestHub } from './hub-core.ts';

/** Starts it on this database. */
export async function startWholeHub(dsn: string): Promise<TestHub> {
  const hub = await startTestHub(dsn);
  const bus = { connected: false } as Bus;
  const context: FleetContext = {
    ...{ fleet: new FleetState(), accounts: new AgentAccounts(), bus, version: 'test', startedAt: Date.now(), now: Date.now },
    distribution: { desired: undefined, published: 0, committedAt: () => undefined },
    ...{ busConnectedSince: () => undefined, startRevision: () => 0, databaseUp: () => true },
  };
  // As if it was stopping: what would be told without an end has one.
  const memory = new TrafficMemory({ clusters: () => [] });
  addHubRoutes(hub.core, {
    found: new FoundAccounts(),
    fleet: { context, onChange: () => () => undefined },
    traffic: { memory, clusters: () => [] },
    readiness: new ReadinessKeeper({ context, traffic: () => memory }),
    ...{ bus, signer: generateSigner(), signal: AbortSignal.abort() },
  });
  return hub;
}
