/** Rotations on a real PostgreSQL: what is decided is stored first, by the leader of the term alone, and another goes on from there. */
import type { TrustPhase } from '@hawser/wire/trust.ts';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { type Database, openDatabase } from '../db/database.ts';
import { AgentAccounts } from '../fleet/agent-accounts.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { memberOf, statusOf } from '../fleet/fleet-fixture.ts';
import { FleetState } from '../fleet/fleet-state.ts';
import { createReadModel } from '../resource/desired-state-store.ts';
import { orderOf, trustOf } from './rotation-fixture.ts';
import { RotationLoop } from './rotation-loop.ts';
import { RotationService } from './rotation-service.ts';

const log = pino({ level: 'silent' });
const listening = pino({ level: 'warn' }, { write: (line) => void warned.push(line) });
const warned: string[] = [];
const EAST = { actor: 'me', emergency: false } as const;
let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());

describe('rotations', { timeout: 120_000 }, () => {
  let dsn: string;
  let database: Database;
  let accounts: AgentAccounts;
  let context: FleetContext;
  let service: RotationService;
  let term: number | undefined;
  let stopping: AbortController;
  let loops: Promise<void>[];

  beforeEach(async () => {
    dsn = await postgres.database();
    database = openDatabase(dsn, log);
    await querySql(dsn, "UPDATE hub_leader SET term = 2, holder = 'me'");
    await querySql(dsn, "INSERT INTO members (cluster, signing_key, epoch, nats_user, enrolled_at) VALUES ('east', '', 1, 'u', now())");
    [accounts, term, stopping, loops] = [new AgentAccounts(), 2, new AbortController(), []];
    const desired = { epoch: 1, revision: 0, resources: [], members: [memberOf('east'), memberOf('west')] };
    context = {
      ...{ fleet: new FleetState(), accounts, bus: { connected: true }, version: 'test', startedAt: 0, now: Date.now },
      distribution: {
        ...{ desired, published: 0, committedAt: () => undefined },
        get replica() {
          return { instance: 'me', term, leader: undefined };
        },
      },
      ...{ busConnectedSince: () => Date.now() - 60_000, startRevision: () => 0, databaseUp: () => true },
    };
    service = new RotationService({ database, context, onChange: () => undefined });
    return async () => {
      stopping.abort();
      await Promise.all(loops);
      await database.close();
    };
  });

  const follow = (): void => {
    loops.push(
      new RotationLoop({ database, context, onHeard: (hear) => accounts.subscribe(hear), log: listening, signal: stopping.signal }).run(),
    );
  };
  const say = (rotation: string, step: TrustPhase | undefined): void => {
    for (const cluster of ['east', 'west']) accounts.putStatus(cluster, { ...statusOf(0), trust: trustOf(rotation, step) }, Date.now());
  };
  const start = async (kind: 'root' | 'intermediate' = 'root'): Promise<string> => {
    const answer = await service.start({ cluster: 'east', kind }, EAST);
    return 'id' in answer ? answer.id : '';
  };
  const phaseOf = async (id: string): Promise<string> => (await service.get(id)).phase;

  /** The agents keep saying that they have done the step: one that fell silent is waited for. */
  const comesTo = async (id: string, phase: string, step: TrustPhase): Promise<void> => {
    const look = (): Promise<string> => {
      say(id, step);
      return phaseOf(id);
    };
    await expect.poll(look, { timeout: 40_000, interval: 100 }).toBe(phase);
  };

  it('are begun once for each cluster, and told to it by a revision like any other', async () => {
    const before = await createReadModel(database).snapshot();
    const id = await start();
    expect(await createReadModel(database).snapshot()).toMatchObject({ revision: before.revision + 1 });
    const changes = await createReadModel(database).changesAfter(before.revision);
    expect(changes?.entries).toMatchObject([{ kind: 'TrustRotation', name: id, action: 'create' }]);
    expect(changes?.orders?.get('east')).toMatchObject({ rotation: id, phase: 'prepare', emergency: false });
    await expect(start()).rejects.toThrow(/is Preparing since/);
    await expect(service.start({ cluster: 'nowhere' }, EAST)).rejects.toThrow(/there is no cluster nowhere; there are east, west/);
    await expect(service.start({ cluster: 'west', at: 'soon' }, EAST)).rejects.toThrow(/no time such as/);
    await expect(service.start({ cluster: 'west', at: '2020-01-01T00:00:00Z' }, EAST)).rejects.toThrow(/is past/);
    await expect(service.start({ cluster: 'west', awayAfter: 'long' }, EAST)).rejects.toThrow(/no duration/);
    const [audited] = await querySql(dsn, "SELECT actor, verb, name FROM audit WHERE kind = 'TrustRotation'");
    expect(audited).toEqual({ actor: 'me', verb: 'rotate', name: id });
  });

  it('are moved on by the leader of the term alone, and gone on with by its successor', async () => {
    const id = await start();
    term = 1;
    follow();
    say(id, 'prepare');
    await expect(service.command(id, 'retire-now', 'me')).rejects.toThrow(/it is Preparing/);
    // Whoever leads in a term that is over is refused by the database; the next one finds the row as it was.
    await expect.poll(() => warned.some((text) => text.includes('another replica leads')), { timeout: 30_000 }).toBe(true);
    expect(await phaseOf(id)).toBe('Preparing');
    term = 2;
    follow();
    await comesTo(id, 'Activating', 'prepare');
    for (const [step, next] of [
      ['activate', 'Tainting'],
      ['taint', 'Retiring'],
      ['retire', 'Done'],
    ] as const) {
      await comesTo(id, next, step);
    }
    const { orders } = await createReadModel(database).snapshot();
    expect(orders?.get('east')).toMatchObject({ rotation: id, phase: 'retire' });
  });

  it('that are refused have failed, and their order is withdrawn', async () => {
    const id = await start();
    follow();
    const trust = { ...trustOf(id, 'prepare'), order: { ...orderOf(id, 'prepare'), refusal: 'no' } };
    const look = (): Promise<string> => {
      accounts.putStatus('east', { ...statusOf(0), trust }, Date.now());
      return phaseOf(id);
    };
    await expect.poll(look, { timeout: 40_000, interval: 100 }).toBe('Failed');
    expect((await createReadModel(database).snapshot()).orders?.get('east')).toBeUndefined();
    expect(await start()).not.toBe(id);
  });

  it('of an emergency are begun by who says that the breakage is known, and say it', async () => {
    say('none', undefined);
    const emergency = { actor: 'me', emergency: true };
    const impact = await service.start({ cluster: 'east', dryRun: true }, emergency);
    expect(impact).toMatchObject({ breaks: [{ cluster: 'east' }, { cluster: 'west' }] });
    await expect(service.start({ cluster: 'east' }, emergency)).rejects.toThrow(/breaks connections. east: .*--yes/);
    await expect(service.start({ cluster: 'east', kind: 'intermediate', confirm: true }, emergency)).rejects.toThrow(/replaces the root/);
    expect(await service.list(undefined)).toEqual([]);
    expect(await service.start({ cluster: 'east', confirm: true }, emergency)).toMatchObject({ phase: 'Retiring', emergency: true });
  });
});
