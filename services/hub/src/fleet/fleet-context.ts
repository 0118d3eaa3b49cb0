/** What the hub's views are made from. */
import type { Bus } from '@hawser/bus/bus.ts';
import type { FoundAccounts } from '../adoption/found-accounts.ts';
import type { Replica } from '../distribute/start-distribution.ts';
import { placeKey } from '../placement/adopted.ts';
import type { DesiredState } from '../resource/resource-read-model.ts';
import type { RefusedMoves } from '../safety/refused-moves.ts';
import type { AgentAccounts } from './agent-accounts.ts';
import type { FleetState } from './fleet-state.ts';
import { type Rollout, rolloutAnswer } from './rollout.ts';

/** What the views read of the outbox loop. */
export interface Distribution {
  readonly desired: DesiredState | undefined;
  readonly published: number;
  committedAt(revision: number): number | undefined;
  /** This replica among the others, once that is known. */
  readonly replica?: Replica | undefined;
}

/** Everything that views read; all of it in memory. */
export interface FleetContext {
  readonly fleet: FleetState;
  readonly accounts: AgentAccounts;
  readonly distribution: Distribution;
  readonly bus: Pick<Bus, 'connected'> & Partial<Pick<Bus, 'serverVersion'>>;
  /** Unix milliseconds; undefined while the bus is down. */
  busConnectedSince(): number | undefined;
  /** The first revision that this hub read. */
  startRevision(): number;
  databaseUp(): boolean;
  readonly version: string;
  /** Unix milliseconds. */
  readonly startedAt: number;
  now(): number;
  /** What clusters say of policy of their own. */
  readonly found?: FoundAccounts;
  /** Where what guards refuse is noted. */
  readonly refused?: RefusedMoves;
}

/** What a revision has done so far. */
export function currentRollout(context: FleetContext, revision: number): Rollout {
  const { desired, published } = context.distribution;
  return rolloutAnswer({
    epoch: desired?.epoch ?? 0,
    revision,
    published,
    committedAt: context.distribution.committedAt(revision),
    busConnectedSince: context.busConnectedSince(),
    startRevision: context.startRevision(),
    members: (desired?.members ?? []).map((member) => member.name),
    account: (cluster) => context.accounts.get(cluster),
    replicas: (cluster) => context.accounts.replicas(cluster),
    policy: () => {
      const written = desired?.resources.find(
        ({ metadata, inForceRevision }) => inForceRevision === revision || metadata.resourceVersion === String(revision),
      );
      return written === undefined ? undefined : placeKey(written);
    },
    now: context.now(),
  });
}
