/** Operations on a real PostgreSQL, by a kind that only counts: what is decided is stored first, and another replica goes on from there. */
import type { Resource } from '@hawser/model/resource.ts';
import { canonicalJson } from '@hawser/runtime/canonical-json.ts';
import fc from 'fast-check';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestHub, type TestHub } from '../../../../test/kit/hub-core.ts';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { type Database, openDatabase } from '../db/database.ts';
import { KnownState } from '../distribute/known-state.ts';
import { AgentAccounts } from '../fleet/agent-accounts.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { memberOf } from '../fleet/fleet-fixture.ts';
import { FleetState } from '../fleet/fleet-state.ts';
import { place, placementChanges } from '../placement/place.ts';
import { createReadModel } from '../resource/desired-state-store.ts';
import { OperationClocks } from './operation-clocks.ts';
import type { OperationKind, OperationState } from './operation-kind.ts';
import { OperationLoop } from './operation-loop.ts';
import { Operations } from './operations.ts';

const log = pino({ level: 'silent' });
const COLLECTION = '/apis/hawser.dev/v1alpha1/namespaces/shop/failoverpolicies';
let postgres: TestPostgres;

interface Counting extends OperationState {
  readonly count: number;
  readonly seen?: string;
}

/** How far it may count, for what has the order of one region; those of two need no operation. */
let allowed = 0;
const counting: OperationKind<Counting, number> = {
  kind: 'FailoverPolicy',
  commands: ['promote', 'abort'],
  evidence: () => allowed,
  start: ({ spec }) => ((spec as { order: string[] }).order.length === 1 ? { phase: 'Counting', count: 0 } : undefined),
  advance: (state, _resource, upTo) => (state.count < upTo ? { ...state, count: state.count + 1 } : state),
  command: (state, command) => {
    if (command === 'abort') return state.phase === 'Aborted' ? 'it is over' : { ...state, phase: 'Aborted' };
    return { ...state, phase: 'Counting', message: 'told to' };
  },
  inForce: ({ spec }, { count }) => ({ order: [...(spec as { order: string[] }).order, `r${count - (count % 2)}`] }),
  statusOf: ({ phase, count, message }) => ({ phase, count, ...(message === undefined ? {} : { message }) }),
  isEnded: ({ phase }) => phase === 'Aborted',
  kept: ({ metadata }) => ({ seen: metadata.name }),
};

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());

describe('operations', { timeout: 120_000 }, () => {
  let dsn: string;
  let database: Database;
  let hub: TestHub;
  let operations: Operations;
  let context: FleetContext;
  let term: number | undefined;
  let stopping: AbortController;
  let loops: Promise<void>[];

  beforeEach(async () => {
    dsn = await postgres.database();
    [allowed, term, stopping, loops] = [0, 2, new AbortController(), []];
    context = contextOf(() => term);
    operations = new Operations({ context, kinds: [counting], onChange: () => undefined });
    hub = await startTestHub(dsn, { operations });
    database = openDatabase(dsn, log);
    await querySql(dsn, "UPDATE hub_leader SET term = 2, holder = 'me'");
    return async () => {
      stopping.abort();
      await Promise.all(loops);
      await database.close();
      await hub.stop();
    };
  });

  const follow = (): void => {
    loops.push(new OperationLoop({ database, context, operations, onHeard: () => () => undefined, log, signal: stopping.signal }).run());
  };
  const write = async (name: string, order: readonly string[]): Promise<void> => {
    const body = { apiVersion: 'hawser.dev/v1alpha1', kind: 'FailoverPolicy', metadata: { namespace: 'shop', name }, spec: { order } };
    const { body: answer } = await hub.call('POST', '/hawser/v1/apply', { resources: [body], allowUnresolved: true });
    expect(answer).toMatchObject({ results: [{ action: expect.stringMatching(/created|configured/) }] });
  };
  const statusOf = async (name: string): Promise<Record<string, unknown>> =>
    (await hub.call('GET', `${COLLECTION}/${name}`)).body.status as unknown as Record<string, unknown>;
  const formOf = async (name: string): Promise<Resource | undefined> =>
    (await createReadModel(database).snapshot()).resources.find(({ metadata }) => metadata.name === name);

  it('begin with the write that calls for one, and what is in force is there with it', async () => {
    await write('one', ['a']);
    await write('two', ['a', 'b']);
    expect(await formOf('one')).toMatchObject({ spec: { order: ['a'] }, inForce: { order: ['a', 'r0'] } });
    expect((await formOf('two'))?.inForce).toBeUndefined();
    expect(await statusOf('one')).toMatchObject({ phase: 'Counting', count: 0 });
    expect(await statusOf('two')).not.toHaveProperty('phase');
  });

  it('are moved on by the leader of the term alone, each step with a revision, and gone on with by its successor', async () => {
    await write('one', ['a']);
    const before = await createReadModel(database).snapshot();
    term = 1;
    follow();
    allowed = 3;
    // Whoever leads in a term that is over is refused by the database.
    await write('two', ['a']);
    expect(await statusOf('one')).toMatchObject({ count: 0 });
    term = 2;
    await expect.poll(async () => (await statusOf('one'))['count'], { timeout: 30_000 }).toBe(3);
    const isKept = async () => (await querySql(dsn, "SELECT 1 FROM operations WHERE name = 'one' AND state ->> 'seen' = 'one'")).length;
    await expect.poll(isKept, { timeout: 30_000 }).toBe(1);
    stopping.abort();
    await Promise.all(loops);
    // Another replica, which knows nothing but the database.
    [stopping, allowed] = [new AbortController(), 5];
    follow();
    await expect.poll(async () => (await statusOf('one'))['count'], { timeout: 30_000 }).toBe(5);
    const changes = await createReadModel(database).changesAfter(before.revision);
    const own = changes?.entries.filter(({ name }) => name === 'FailoverPolicy/one');
    expect(await isKept()).toBe(1);
    // What is kept beside the clock has no revision of its own.
    expect(own).toHaveLength(5);
    expect(own?.every(({ kind, namespace, action }) => kind === 'Operation' && namespace === 'shop' && action === 'update')).toBe(true);
    // The form changed with every second step: its revision is that of the fourth.
    expect(await formOf('one')).toMatchObject({ inForce: { order: ['a', 'r4'] }, inForceRevision: own?.[3]?.revision });
    expect(await querySql(dsn, "SELECT count(*)::int AS n FROM audit WHERE kind = 'Operation' AND name = 'FailoverPolicy/one'")).toEqual([
      { n: 5 },
    ]);
  });

  it('do what they are told, say why not, and end with their resource', async () => {
    await write('one', ['a']);
    follow();
    expect((await hub.call('POST', `${COLLECTION}/one/promote`)).body.status).toMatchObject({ message: 'told to' });
    expect((await hub.call('POST', `${COLLECTION}/one/abort`, { reason: 'enough' })).body.status).toMatchObject({ phase: 'Aborted' });
    const refused = await hub.call('POST', `${COLLECTION}/one/abort`);
    expect(refused).toMatchObject({ code: 409, body: { message: 'abort FailoverPolicy one: it is over' } });
    expect((await hub.call('POST', `${COLLECTION}/none/abort`)).code).toBe(404);
    // An operation that has ended leaves what was in force; a new spec begins another, and one that needs none drops it.
    expect(await formOf('one')).toMatchObject({ inForce: { order: ['a', 'r0'] } });
    await write('one', ['b']);
    expect(await statusOf('one')).toMatchObject({ phase: 'Counting' });
    await hub.call('POST', `${COLLECTION}/one/abort`);
    await write('one', ['a', 'b']);
    expect((await formOf('one'))?.inForce).toBeUndefined();
    await write('two', ['a']);
    expect((await hub.call('DELETE', `${COLLECTION}/two`)).code).toBe(200);
    expect(await querySql(dsn, 'SELECT name FROM operations WHERE ended_at IS NULL')).toEqual([]);
    await write('two', ['a']);
    expect(await statusOf('two')).toMatchObject({ phase: 'Counting', count: 0 });
  });

  it('are found missing, and abandoned, where the database was written by other hands', async () => {
    await write('one', ['a']);
    await querySql(dsn, 'DELETE FROM operations');
    follow();
    await expect.poll(async () => (await statusOf('one'))['phase'], { timeout: 30_000 }).toBe('Counting');
    expect(await formOf('one')).toMatchObject({ inForce: { order: ['a', 'r0'] }, inForceRevision: expect.any(Number) });
    await querySql(dsn, "DELETE FROM resources WHERE name = 'one'");
    const underWay = (): Promise<unknown> => querySql(dsn, 'SELECT name FROM operations WHERE ended_at IS NULL');
    await expect.poll(underWay, { timeout: 30_000 }).toEqual([]);
  });

  it('are known by what was written since as by all of it', async () => {
    const members = [memberOf('a'), memberOf('b')];
    const readModel = createReadModel(database);
    const known = new KnownState();
    known.replace({ ...(await readModel.snapshot()), members });
    const placed = new Map(members.map(({ name }) => [name, new Map<string, unknown>()]));
    const act = fc.record({ name: fc.constantFrom('p', 'q'), act: fc.constantFrom('one', 'two', 'delete', 'promote', 'abort', 'count') });
    const acts = fc.sample(fc.array(act, { minLength: 30, maxLength: 30 }), { numRuns: 1, seed: 7 })[0] ?? [];
    const take = async (): Promise<void> => {
      const changes = await readModel.changesAfter(known.desired?.revision ?? 0);
      if (changes === undefined) throw new Error('the changes are not on record');
      for (const [cluster, documents] of placementChanges(known.advance(changes).resources ?? [], members)) {
        for (const [key, body] of documents) {
          if (body === null) placed.get(cluster)?.delete(key);
          else placed.get(cluster)?.set(key, body);
        }
      }
    };
    follow();
    for (const { name, act: what } of acts) {
      if (what === 'count') allowed += 1;
      else if (what === 'delete') await hub.call('DELETE', `${COLLECTION}/${name}`);
      else if (what === 'promote' || what === 'abort') await hub.call('POST', `${COLLECTION}/${name}/${what}`);
      else await hub.call('POST', '/hawser/v1/apply', { resources: [bodyOf(name, what)], allowUnresolved: true });
      await take();
    }
    stopping.abort();
    await Promise.all(loops);
    await take();
    const { resources } = await readModel.snapshot();
    expect(canonicalJson(known.desired?.resources)).toBe(canonicalJson(resources));
    const fresh = place({ resources, members });
    for (const { name } of members) {
      const policies = [...(fresh.get(name) ?? [])].filter(([key]) => key.startsWith('policy.'));
      expect(canonicalJson([...(placed.get(name) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)))).toBe(canonicalJson(policies));
    }
  });
});

describe('the clock of an operation', () => {
  it('goes on by attended time, whatever the clocks around it do', () => {
    let now = 1_000;
    const clocks = new OperationClocks(() => now);
    const stored = { id: 1, clock: 40_000 };
    expect(clocks.read(stored)).toBe(40_000);
    now += 250;
    expect(clocks.read(stored)).toBe(40_250);
    // A process that stood still for an hour, or a clock that jumped.
    now += 3_600_000;
    expect(clocks.read(stored)).toBe(45_250);
    now -= 7_200_000;
    expect(clocks.read(stored)).toBe(45_250);
    expect(clocks.takeUnkept()).toEqual(new Map([[1, 45_250]]));
    expect(clocks.takeUnkept().size).toBe(0);
    clocks.keepOnly(new Set());
    expect(clocks.read({ id: 1, clock: 45_250 })).toBe(45_250);
  });
});

function bodyOf(name: string, order: 'one' | 'two'): object {
  const spec = { order: order === 'one' ? ['a'] : ['a', 'b'] };
  return { apiVersion: 'hawser.dev/v1alpha1', kind: 'FailoverPolicy', metadata: { namespace: 'shop', name }, spec };
}

function contextOf(termNow: () => number | undefined): FleetContext {
  return {
    ...{ fleet: new FleetState(), accounts: new AgentAccounts(), bus: { connected: true }, version: 'test', startedAt: 0, now: Date.now },
    distribution: {
      ...{ desired: undefined, published: 0, committedAt: () => undefined },
      get replica() {
        return { instance: 'me', term: termNow(), leader: undefined };
      },
    },
    ...{ busConnectedSince: () => Date.now() - 60_000, startRevision: () => 0, databaseUp: () => true },
  };
}
