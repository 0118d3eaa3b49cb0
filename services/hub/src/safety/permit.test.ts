import type { RegionFacts } from '@hawser/model/safety-rule.ts';
import { safetyRuleProblems } from '@hawser/model/safety-rule.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { permit, type SteeringAction, type SteeringWorld, URGENCIES, type Urgency } from './permit.ts';

const region = (name: string, facts: Partial<RegionFacts> = {}): RegionFacts => ({
  ...{ name, clusters: [`${name}-1`, `${name}-2`], drainedPercent: 0, healthyEndpoints: 10, headroomPercent: 60 },
  ...facts,
});
const world = (changes: Partial<SteeringWorld> = {}): SteeringWorld => ({
  ...{ now: new Date('2026-11-24T10:00:00Z'), freezes: [], rules: [], underWay: [] },
  regions: [region('east'), region('west')],
  ...changes,
});
const drain = (changes: Partial<SteeringAction> = {}): SteeringAction => ({
  ...{ verb: 'drain', urgency: 'manual', services: 'all', overrides: [], from: [{ region: 'east', drainedPercent: 100 }] },
  ...changes,
});
const rule = (condition: string, changes: object = {}) => ({
  name: 'keep-two',
  spec: { type: 'assertion' as const, condition, message: 'two regions must be left', ...changes },
});
const freeze = (changes: object = {}) => ({ name: 'christmas', spec: { reason: 'holidays', ...changes } });

describe('safety rules', () => {
  test('see the regions as the move leaves them, and say how to go on', () => {
    const rules = [rule('size(remaining) >= 2')];
    expect(permit(drain(), world({ rules }))).toEqual({
      allowed: false,
      rule: 'keep-two',
      message:
        'the SafetyRule keep-two is against it: two regions must be left; to go on in spite of it, name it in overrideSafetyRules: [keep-two], which is audited',
    });
    expect(permit(drain(), world({ rules, regions: [region('east'), region('west'), region('north')] }))).toMatchObject({ allowed: true });
    expect(permit(drain({ from: [{ region: 'east', drainedPercent: 50 }] }), world({ rules }))).toMatchObject({ allowed: true });
    // One cluster of two is not the region.
    expect(permit(drain({ from: [{ region: 'east', cluster: 'east-1', drainedPercent: 100 }] }), world({ rules }))).toMatchObject({
      allowed: true,
    });
  });

  test('see what others have drained, cluster by cluster', () => {
    const rules = [rule('size(remaining) >= 2')];
    const east = region('east', { drainedPercent: 50 });
    const ofCluster = (cluster: string, drainedClusters: Readonly<Record<string, number>>): boolean => {
      const from = [{ region: 'east', cluster, drainedPercent: 100 }];
      return permit(drain({ from }), world({ rules, regions: [{ ...east, drainedClusters }, region('west')] })).allowed;
    };
    expect(ofCluster('east-2', { 'east-1': 100, 'east-2': 0 })).toBe(false);
    expect(ofCluster('east-1', { 'east-1': 100, 'east-2': 0 })).toBe(true);
    // Giving a little back of what another keeps away gives nothing back.
    const back = drain({ verb: 'restore', from: [{ region: 'east', drainedPercent: 10 }] });
    expect(permit(back, world({ rules, regions: [region('east', { drainedPercent: 100 }), region('west')] })).allowed).toBe(false);
  });

  test('that gate see them as they are', () => {
    const gate = rule('size(remaining) >= 2', { type: 'gating' });
    expect(permit(drain(), world({ rules: [gate] }))).toMatchObject({ allowed: true });
    expect(permit(drain(), world({ rules: [gate], regions: [region('east'), region('west', { drainedPercent: 100 })] }))).toMatchObject({
      rule: 'keep-two',
    });
    expect(permit(drain({ urgency: 'scheduled' }), world({ rules: [rule('urgency != "scheduled"')] }))).toMatchObject({ allowed: false });
  });

  test('are overridden by name, and that is told', () => {
    const rules = [rule('size(remaining) >= 2')];
    expect(permit(drain({ overrides: ['keep-two'] }), world({ rules }))).toEqual({
      allowed: true,
      overridden: [{ name: 'keep-two', message: 'the SafetyRule keep-two is against it: two regions must be left' }],
      preempts: [],
    });
    expect(permit(drain({ overrides: ['another'] }), world({ rules }))).toMatchObject({ allowed: false });
    expect(
      permit(drain({ overrides: ['keep-two'] }), world({ rules: [rule('size(remaining) >= 2', { overridable: false })] })),
    ).toMatchObject({
      allowed: false,
      message: expect.stringContaining('cannot be overridden'),
    });
    expect(permit(drain({ overrides: ['keep-two'], from: [] }), world({ rules }))).toEqual({ allowed: true, overridden: [], preempts: [] });
  });

  test('hold in emergencies', () => {
    expect(permit(drain({ urgency: 'emergency' }), world({ rules: [rule('size(remaining) >= 2')] }))).toMatchObject({ allowed: false });
  });

  test('that ask for what is not known do not hold', () => {
    const rules = [rule('remaining.all(r, r.headroomPercent >= 20)')];
    expect(permit(drain(), world({ rules }))).toMatchObject({
      allowed: false,
      message: expect.stringMatching(/not known: .*headroomPercent/),
    });
    const after = [region('east', { drainedPercent: 100, headroomPercent: 0 }), region('west', { headroomPercent: 30 })];
    expect(permit(drain({ after }), world({ rules }))).toMatchObject({ allowed: true });
    const { headroomPercent: _, ...unknown } = region('west');
    expect(permit(drain({ after: [unknown] }), world({ rules }))).toMatchObject({ allowed: false });
  });

  test('are for what they say they are for', () => {
    const only = (scope: object): boolean =>
      permit(drain({ services: ['shop/cart'] }), world({ rules: [rule('false', { scope })] })).allowed;
    for (const scope of [
      { regions: ['east'] },
      { clusters: ['east-2'] },
      { namespaces: ['shop'] },
      { services: ['shop/cart'] },
      { verbs: ['drain'] },
    ])
      expect([scope, only(scope)]).toEqual([scope, false]);
    for (const scope of [
      { regions: ['west'] },
      { clusters: ['west-1'] },
      { namespaces: ['pay'] },
      { services: ['shop/pay'] },
      { verbs: ['drill'] },
    ])
      expect([scope, only(scope)]).toEqual([scope, true]);
    expect(permit(drain(), world({ rules: [rule('false', { scope: { services: ['shop/cart'] } })] }))).toMatchObject({ allowed: false });
  });

  test('are refused when they are written, with the place', () => {
    const spec = (condition: string) => ({ type: 'assertion' as const, condition, message: 'no' });
    expect(safetyRuleProblems(spec('size(remaining) >= 2'))).toEqual([]);
    expect(safetyRuleProblems(spec('remaining.all(r, r.headroom > 2)'))).toEqual([
      expect.objectContaining({
        steps: ['condition'],
        message: expect.stringMatching(/at character .*No such key: headroom; a condition is CEL over/),
      }),
    ]);
    expect(safetyRuleProblems({ ...spec('true'), scope: {} })).toEqual([expect.objectContaining({ steps: ['scope'] })]);
  });
});

describe('freezes', () => {
  test('keep what is no emergency, and say why and until when', () => {
    const freezes = [freeze({ until: '2027-01-01T00:00:00Z' })];
    expect(permit(drain(), world({ freezes }))).toEqual({
      allowed: false,
      rule: 'freeze/christmas',
      message:
        'the Freeze christmas holds until 2027-01-01T00:00:00Z: holidays; wait, or name it in overrideSafetyRules: [freeze/christmas], which is audited, or say urgency: emergency if it is one',
    });
    expect(permit(drain({ urgency: 'emergency' }), world({ freezes }))).toEqual({ allowed: true, overridden: [], preempts: [] });
    expect(permit(drain({ overrides: ['freeze/christmas'] }), world({ freezes }))).toMatchObject({
      allowed: true,
      overridden: [{ name: 'freeze/christmas' }],
    });
    expect(permit(drain({ urgency: 'emergency' }), world({ freezes: [freeze({ allowEmergency: false })] }))).toMatchObject({
      allowed: false,
    });
    expect(permit(drain(), world({ freezes, now: new Date('2027-01-01T00:00:00Z') }))).toMatchObject({ allowed: true });
  });
});

describe('what is under way', () => {
  const other = (urgency: Urgency, changes: object = {}) => ({
    ...{ key: 'Drain//other', verb: 'drain' as const, urgency, services: 'all' as const, from: [{ region: 'east' }] },
    ...changes,
  });

  test.each(URGENCIES.flatMap((mine) => URGENCIES.map((theirs) => [mine, theirs] as const)))('%s meets %s', (mine, theirs) => {
    const answer = permit(drain({ urgency: mine }), world({ underWay: [other(theirs)] }));
    const [rank, above] = [URGENCIES.indexOf(mine), URGENCIES.indexOf(theirs)];
    if (above > rank)
      expect(answer).toMatchObject({ allowed: false, rule: 'Drain//other', message: expect.stringContaining('moves the same traffic') });
    else expect(answer).toMatchObject({ allowed: true, preempts: above < rank ? ['Drain//other'] : [] });
  });

  test("is in nobody's way elsewhere, and not in its own", () => {
    const allowed = (changes: object, mine: Partial<SteeringAction> = {}): boolean =>
      permit(drain({ urgency: 'scheduled', ...mine }), world({ underWay: [other('emergency', changes)] })).allowed;
    expect(allowed({})).toBe(false);
    expect(allowed({ from: [{ region: 'west' }] })).toBe(true);
    expect(allowed({ from: [{ region: 'east', cluster: 'east-1' }] })).toBe(false);
    expect(
      allowed({ from: [{ region: 'east', cluster: 'east-1' }] }, { from: [{ region: 'east', cluster: 'east-2', drainedPercent: 100 }] }),
    ).toBe(true);
    expect(allowed({ services: ['a/b'] }, { services: ['a/c'] })).toBe(true);
    expect(allowed({ services: ['a/b'] }, { services: ['a/b', 'a/c'] })).toBe(false);
    expect(allowed({}, { self: 'Drain//other' })).toBe(true);
  });
});

test('an action that is allowed names everything that it overrode, and one that is not allowed names who kept it', () => {
  const names = ['a', 'b', 'c'];
  fc.assert(
    fc.property(
      fc.subarray(names),
      fc.subarray(names),
      fc.subarray([...names, 'freeze/x']),
      fc.boolean(),
      fc.constantFrom(...URGENCIES),
      (against, fixed, overrides, isFrozen, urgency) => {
        const rules = names.map((name) => ({
          name,
          spec: { type: 'gating' as const, condition: String(!against.includes(name)), message: 'no', overridable: !fixed.includes(name) },
        }));
        const freezes = isFrozen ? [{ name: 'x', spec: { reason: 'no' } }] : [];
        const answer = permit(drain({ overrides, urgency }), world({ rules, freezes }));
        const objecting = [...(isFrozen && urgency !== 'emergency' ? ['freeze/x'] : []), ...against];
        const keeping = objecting.filter((name) => fixed.includes(name) || !overrides.includes(name));
        if (answer.allowed) expect([keeping, answer.overridden.map(({ name }) => name).sort()]).toEqual([[], [...objecting].sort()]);
        else expect(keeping).toContain(answer.rule);
      },
    ),
  );
});
