/** Freezes and safety rules through the API, and what permits are made of. */
import type { Resource } from '@hawser/model/resource.ts';
import type { Role } from '@hawser/wire/access.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestHubOnPostgres, type TestHubOnPostgres } from '../../../../test/kit/hub-core.ts';
import { AgentAccounts } from '../fleet/agent-accounts.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { memberOf, shardOf } from '../fleet/fleet-fixture.ts';
import { FleetState } from '../fleet/fleet-state.ts';
import { overrideBehaviour } from './override-behaviour.ts';
import { RefusedMoves } from './refused-moves.ts';
import { permitIn, type RegionQuestion, regionFacts } from './steering-world.ts';

const HAWSER = '/apis/hawser.dev/v1alpha1';
const freeze = { apiVersion: 'hawser.dev/v1alpha1', kind: 'Freeze', metadata: { name: 'christmas' }, spec: { reason: 'holidays' } };
const rule = (spec: object) => ({
  ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'SafetyRule', metadata: { name: 'keep-two' } },
  spec: { type: 'assertion', condition: 'size(remaining) >= 2', message: 'two regions must be left', ...spec },
});

describe('guards in the API', { timeout: 60_000 }, () => {
  let hub: TestHubOnPostgres;
  beforeAll(async () => {
    hub = await startTestHubOnPostgres();
  });
  afterAll(() => hub.stop());

  async function statusFor(role: Role, url: string, payload: object): Promise<number> {
    const { body } = await hub.call('POST', '/hawser/v1/tokens', { name: `${role}-${url.length}`, role });
    const { token } = body as unknown as { token: string };
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    return (await hub.core.app.inject({ method: 'POST', url, headers, payload: JSON.stringify(payload) })).statusCode;
  }

  it('are written by those whom they do not bind', async () => {
    expect(await statusFor('operator', `${HAWSER}/freezes`, freeze)).toBe(403);
    expect(await statusFor('approver', `${HAWSER}/freezes`, freeze)).toBe(201);
    expect(await statusFor('approver', `${HAWSER}/safetyrules`, rule({}))).toBe(403);
    expect(await statusFor('admin', `${HAWSER}/safetyrules`, rule({}))).toBe(201);
  });

  it.each([
    ['remaining.all(r, r.headroom > 20)', /at character .*No such key: headroom/],
    ['size(remaining)', /is of type int/],
    ['services.all(a, services.all(b, services.all(c, services.all(d, a == b && c == d))))', /could take .* steps/],
  ])('with the condition %s are refused, with the place', async (condition, message) => {
    const { code, body } = await hub.call('POST', `${HAWSER}/safetyrules`, rule({ condition }));
    expect([code, body.details?.causes]).toEqual([
      422,
      [expect.objectContaining({ field: 'spec.condition', message: expect.stringMatching(message) })],
    ]);
  });

  it('are overridden by the names of such as there are', async () => {
    const write = async (...overrideSafetyRules: readonly string[]) => {
      const drain = { apiVersion: 'hawser.dev/v1alpha1', kind: 'Drain', metadata: { name: 'east' } };
      const spec = { scope: { region: 'us-east' }, reason: 'switches', overrideSafetyRules };
      return await hub.call('POST', `${HAWSER}/drains`, { ...drain, spec });
    };
    const { code, body } = await write('keep-two', 'freeze/chrismas', 'keep-too');
    expect([code, body.details?.causes]).toEqual([
      422,
      [
        expect.objectContaining({
          field: 'spec.overrideSafetyRules[1]',
          message: expect.stringContaining(
            'there is no Freeze chrismas; there are freeze/christmas, headroom, observation (rule unknown-override)',
          ),
        }),
        expect.objectContaining({ field: 'spec.overrideSafetyRules[2]', message: expect.stringContaining('there are keep-two, headroom') }),
      ],
    ]);
    expect((await write('keep-two', 'freeze/christmas', 'headroom')).code).toBe(201);
  });

  it('that are overridden are in the audit by their names', async () => {
    const drain: Resource = {
      ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'Drain', metadata: { name: 'east' } },
      spec: { overrideSafetyRules: ['keep-two', 'freeze/christmas', 'keep-two'] },
    };
    await hub.core.database.transaction(async (tx) => overrideBehaviour().writing?.(tx, drain, 'alice'));
    const { items } = (await hub.call('GET', '/hawser/v1/audit?actor=alice')).body as unknown as { items: object[] };
    expect(items).toHaveLength(2);
    for (const [kind, name] of [
      ['SafetyRule', 'keep-two'],
      ['Freeze', 'christmas'],
    ])
      expect(items).toContainEqual(
        expect.objectContaining({ verb: 'override', kind, name, reason: 'Drain/east names it in overrideSafetyRules' }),
      );
  });
});

describe('what permits are made of', () => {
  const NOW = Date.parse('2026-11-24T10:00:00Z');
  const members = [memberOf('east'), memberOf('west-1', { region: 'west', zone: 'b' }), memberOf('west-2', { region: 'west' })];

  function contextOf(resources: readonly object[], heard: readonly string[], isRead = true): FleetContext {
    const fleet = new FleetState(() => NOW);
    fleet.setMembers(members);
    for (const cluster of heard) {
      fleet.putShard(cluster, shardOf(cluster, 'reviews', ['HEALTHY', 'HEALTHY', 'UNHEALTHY']));
      fleet.heard(cluster, NOW);
    }
    const desired = { epoch: 1, revision: 1, resources: resources as Resource[], members };
    return {
      ...{ fleet, accounts: new AgentAccounts(), bus: { connected: true }, version: '', startedAt: 0 },
      distribution: { desired: isRead ? desired : undefined, published: 1, committedAt: () => undefined },
      ...{ busConnectedSince: () => 0, startRevision: () => 1, databaseUp: () => true, now: () => NOW },
    };
  }
  const drain = (spec: object, inForce?: object) => ({
    kind: 'Drain',
    metadata: { name: 'd' },
    spec,
    ...(inForce === undefined ? {} : { inForce }),
  });
  const facts = (resources: readonly object[], question: RegionQuestion = {}, heard = ['east', 'west-1', 'west-2']) => {
    const context = contextOf(resources, heard);
    const { desired } = context.distribution;
    if (desired === undefined) throw new Error('it was read');
    return Object.fromEntries(regionFacts(context, desired, question).map((region) => [region.name, region]));
  };

  it('is every region with its clusters; what is not known is not there', () => {
    expect(facts([], { headroomPercent: (region) => (region === 'east' ? 40 : undefined) })).toEqual({
      east: { name: 'east', clusters: ['east'], drainedPercent: 0, drainedClusters: { east: 0 }, healthyEndpoints: 2, headroomPercent: 40 },
      west: {
        ...{ name: 'west', clusters: ['west-1', 'west-2'], drainedPercent: 0, drainedClusters: { 'west-1': 0, 'west-2': 0 } },
        healthyEndpoints: 4,
      },
    });
    expect(facts([], {}, ['east', 'west-1'])['west']).not.toHaveProperty('healthyEndpoints');
  });

  it('counts drains as they are in force, of whole places alone', () => {
    expect(facts([drain({ scope: { region: 'west' }, percent: 30 })])['west']?.drainedPercent).toBe(30);
    // One that was not begun moves nothing, as agents have it.
    expect(facts([drain({ scope: { region: 'west' } })])['west']?.drainedPercent).toBe(0);
    expect(facts([drain({ scope: { cluster: 'west-1' } }, { scope: { cluster: 'west-1' }, percent: 50 })])['west']?.drainedPercent).toBe(
      25,
    );
    expect(facts([drain({ scope: { zone: 'west/b' }, percent: 100 })])['west']?.drainedPercent).toBe(50);
    expect(facts([drain({ scope: { region: 'west' }, services: { names: ['shop/cart'] }, percent: 100 })])['west']?.drainedPercent).toBe(0);
    expect(facts([drain({ scope: { gateway: 'west-2' }, percent: 100 })])['west']?.drainedClusters).toEqual({ 'west-1': 0, 'west-2': 100 });
  });

  it('is of some services what is so for these: of what is drained, and of their endpoints', () => {
    const cart = drain({ scope: { region: 'west' }, services: { names: ['shop/cart'] }, percent: 100 });
    const seen = (services: readonly string[]) => {
      const { drainedPercent, healthyEndpoints } = facts([cart], { services })['west'] ?? {};
      return [drainedPercent, healthyEndpoints];
    };
    expect([seen(['shop/cart']), seen(['bookinfo/reviews']), seen(['bookinfo/reviews', 'shop/cart'])]).toEqual([
      [100, 0],
      [0, 4],
      [100, 4],
    ]);
    const waves = { scope: { region: 'west' }, stages: [{ services: { namespaces: ['shop'] }, percent: 100 }], percent: 0 };
    const of = (services: readonly string[]) => facts([drain({}, waves)], { services })['west']?.drainedPercent;
    expect([of(['shop/cart']), of(['bookinfo/reviews'])]).toEqual([100, 0]);
    const drill = { kind: 'DrillRun', metadata: { name: 'run' }, spec: {}, inForce: { run: 'run', lease: '15s', divert: cart.spec } };
    expect(facts([drill], { services: ['shop/cart'] })['west']?.drainedPercent).toBe(100);
  });

  it('is not what the move itself has moved before', () => {
    const own = drain({ scope: { region: 'west' }, percent: 100 });
    expect(facts([own], { but: 'Drain//d' })['west']?.drainedPercent).toBe(0);
  });

  it('refuses by a rule what leaves too little of the services that are moved, and not for what others lack', () => {
    const away = drain({ scope: { region: 'east' }, services: { names: ['shop/cart'] }, percent: 100 });
    const one = rule({ condition: 'size(remaining) >= 1' });
    const ask = (services: readonly string[]) =>
      permitIn(
        contextOf([away, one], []),
        { ...{ verb: 'drain', urgency: 'emergency', services, overrides: [] }, from: [{ region: 'west', drainedPercent: 100 }] },
        { underWay: [] },
      );
    expect(ask(['shop/cart'])).toMatchObject({ allowed: false, rule: 'keep-two' });
    expect(ask(['bookinfo/reviews'])).toMatchObject({ allowed: true });
  });

  it('is asked whole, and of nothing that was not read', () => {
    const action = {
      verb: 'drain',
      urgency: 'manual',
      services: 'all',
      overrides: [],
      from: [{ region: 'west', drainedPercent: 100 }],
    } as const;
    const refused = new RefusedMoves();
    const ask = (resources: readonly object[], isRead = true) => {
      const context = contextOf(resources, [], isRead);
      const replica = { instance: 'hub-2', term: undefined, leader: undefined };
      return permitIn({ ...context, distribution: { ...context.distribution, replica }, refused }, action, { underWay: [] });
    };
    expect(ask([])).toMatchObject({ allowed: true });
    expect(ask([rule({})])).toMatchObject({ allowed: false, rule: 'keep-two' });
    expect(ask([freeze])).toMatchObject({ allowed: false, rule: 'freeze/christmas' });
    expect(ask([], false)).toMatchObject({ allowed: false, rule: 'desired-state' });
    expect(refused.of('keep-two')).toEqual([
      expect.objectContaining({ move: 'drain', firstAt: '2026-11-24T10:00:00.000Z', replica: 'hub-2' }),
    ]);
  });

  it('tells of the last moves that a guard was against, each once', () => {
    const refused = new RefusedMoves();
    for (let at = 0; at < 20; at += 1) refused.note('keep-two', { move: `Drain//${at % 7}`, message: `${at}`, now: NOW + at });
    refused.note('keep-two', { move: 'Drain//5', message: 'again', now: NOW + 30 });
    const told = refused.of('keep-two');
    expect(told.map(({ move }) => move)).toEqual([5, 4, 3, 2, 1].map((index) => `Drain//${index}`));
    expect(told[0]).toEqual({
      ...{ move: 'Drain//5', message: 'again' },
      ...{ firstAt: '2026-11-24T10:00:00.019Z', lastAt: '2026-11-24T10:00:00.030Z' },
    });
    expect(refused.of('another')).toEqual([]);
  });
});
