/**
 * For tests of kinds of operations: the API of a hub on a real database, beside the loop of a leader that may be deposed, and agents that
 * answer as a test wants it.
 */
import type { RosterMember } from '@hawser/model/fleet.ts';
import pino from 'pino';
import { startTestHub, type TestHub } from '../../../../test/kit/hub-core.ts';
import { querySql } from '../../../../test/kit/postgres.ts';
import { type Database, openDatabase } from '../db/database.ts';
import { AgentAccounts } from '../fleet/agent-accounts.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { FleetState } from '../fleet/fleet-state.ts';
import { createReadModel } from '../resource/desired-state-store.ts';
import type { DesiredState } from '../resource/resource-read-model.ts';
import type { OperationKind } from './operation-kind.ts';
import { OperationLoop } from './operation-loop.ts';
import { Operations } from './operations.ts';

/** What a test gives. */
export interface LedHubParts {
  readonly dsn: string;
  readonly members: readonly RosterMember[];
  /** Endpoints, and who was heard. */
  fill(fleet: FleetState): void;
  /** The kinds, anew for each leader. */
  kinds(context: FleetContext): readonly OperationKind[];
}

/** A hub, and who leads it. */
export interface LedHub {
  readonly hub: TestHub;
  readonly context: FleetContext;
  readonly accounts: AgentAccounts;
  readonly database: Database;
  /** As the next leader has them. */
  operations(): Operations;
  /** Another replica takes over, which knows what is in the database and nothing else. */
  lead(): Promise<void>;
  /** Nobody leads. */
  depose(): Promise<void>;
  /** Agents hear what is written, and so many of two proxies of each acknowledge it. Answers the newest revision. */
  answer(acked?: number): Promise<number>;
  stop(): Promise<void>;
}

const log = pino({ level: 'silent' });

/** Starts one; nobody leads it yet. */
export async function startLedHub({ dsn, members, fill, kinds }: LedHubParts): Promise<LedHub> {
  const database = openDatabase(dsn, log);
  await querySql(dsn, "UPDATE hub_leader SET term = 2, holder = 'me'");
  const [fleet, accounts] = [new FleetState(), new AgentAccounts()];
  fleet.setMembers(members);
  fleet.setListed();
  fill(fleet);
  let desired: DesiredState | undefined;
  const context = contextOf(fleet, accounts, () => desired);
  const operations = (): Operations => new Operations({ context, kinds: kinds(context), onChange: () => undefined });
  const hub = await startTestHub(dsn, { operations: operations() });
  let stopping = new AbortController();
  let running: Promise<void> | undefined;
  const depose = async (): Promise<void> => {
    stopping.abort();
    await running;
  };
  return {
    ...{ hub, context, accounts, database, operations, depose },
    lead: async () => {
      await depose();
      stopping = new AbortController();
      const { signal } = stopping;
      running = new OperationLoop({ database, context, operations: operations(), onHeard: () => () => undefined, log, signal }).run();
    },
    answer: async (acked = 2) => {
      const read = await createReadModel(database).snapshot();
      desired = { ...read, members };
      const { epoch, revision } = read;
      for (const { name } of members) accounts.putRollout(name, { epoch, revision, expected: 2, acked, nacks: [] }, Date.now());
      return revision;
    },
    stop: async () => {
      await depose();
      await database.close();
      await hub.stop();
    },
  };
}

function contextOf(fleet: FleetState, accounts: AgentAccounts, read: () => DesiredState | undefined): FleetContext {
  return {
    ...{ fleet, accounts, bus: { connected: true }, version: 'test', startedAt: 0, now: Date.now },
    distribution: {
      get desired() {
        return read();
      },
      get published() {
        return read()?.revision ?? 0;
      },
      committedAt: () => Date.now(),
      replica: { instance: 'me', term: 2, leader: undefined },
    },
    ...{ busConnectedSince: () => Date.now() - 60_000, startRevision: () => 0, databaseUp: () => true },
  };
}
