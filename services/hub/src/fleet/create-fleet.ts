/** The assembly of the hub's ear: fleet state, agents' accounts, and what feeds them. */
import type { Bus } from '@hawser/bus/bus.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { FoundAccounts } from '../adoption/found-accounts.ts';
import { RefusedMoves } from '../safety/refused-moves.ts';
import { AgentAccounts } from './agent-accounts.ts';
import type { Distribution, FleetContext } from './fleet-context.ts';
import { FleetFeed } from './fleet-feed.ts';
import { FleetState } from './fleet-state.ts';
import { collectStatus } from './status-collector.ts';

/** What the fleet side is made of. */
export interface FleetParts {
  readonly bus: Bus;
  /** A connection of the shards' own: an answer on the other one must not wait behind half a million endpoints. */
  readonly shardBus: Bus;
  readonly log: Logger;
  readonly version: string;
  /** Where what clusters say of their own policy is kept. */
  readonly found?: FoundAccounts;
  readonly distribution: Distribution;
  readonly databaseUp: () => boolean;
  readonly onRefused: (reason: string) => void;
}

/** The running fleet side. */
export interface Fleet {
  readonly context: FleetContext;
  /** Takes the roster of a newly read desired state. */
  setMembers(members: readonly RosterMember[]): void;
  /** Calls back when a view may have changed. Returns how to stop. */
  onChange(listener: () => void): () => void;
  /** Tells the listeners of a change elsewhere, such as a revision that was published. */
  touch(): void;
  stop(): void;
}

/** Starts listening; nothing is believed before the first roster. */
export function createFleet(parts: FleetParts): Fleet {
  const { bus, log, onRefused } = parts;
  const fleet = new FleetState();
  const accounts = new AgentAccounts();
  const feed = new FleetFeed({ bus: parts.shardBus, fleet, log, onRefused });
  const stopCollecting = collectStatus(bus, { fleet, accounts, found: parts.found, log, onRefused });
  const listeners = new Set<() => void>();
  const touch = (): void => {
    for (const listener of listeners) listener();
  };
  fleet.subscribe(touch);
  accounts.subscribe(touch);
  let connectedSince: number | undefined;
  const stopStatus = bus.onStatus((connected) => {
    connectedSince = connected ? Date.now() : undefined;
  });
  return {
    context: contextOf(parts, { fleet, accounts, busConnectedSince: () => connectedSince }),
    setMembers: (members) => {
      feed.setMembers(members);
      accounts.keepOnly(new Set(members.map((member) => member.name)));
      parts.found?.keepOnly(members);
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    touch,
    stop: () => {
      stopStatus();
      stopCollecting();
      feed.stop();
    },
  };
}

function contextOf(parts: FleetParts, heard: Pick<FleetContext, 'fleet' | 'accounts' | 'busConnectedSince'>): FleetContext {
  const { bus, distribution, databaseUp, version } = parts;
  let startRevision: number | undefined;
  return {
    ...heard,
    bus,
    distribution,
    databaseUp,
    version,
    startRevision: () => {
      startRevision ??= distribution.desired?.revision;
      return startRevision ?? 0;
    },
    startedAt: Date.now(),
    now: Date.now,
    ...(parts.found === undefined ? {} : { found: parts.found }),
    refused: new RefusedMoves(),
  };
}
