import type { MemberPolicies } from '@hawser/model/policy-mode.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { FoundPolicies, FoundPolicy } from '@hawser/wire/found-policies.ts';
import { describe, expect, it } from 'vitest';
import type { ResourceRow } from '../db/schema.ts';
import { newRow } from '../resource/resource-row.ts';
import { type AdoptionInput, type AdoptionWrite, adoptionPlan, type FoundRow } from './adoption-plan.ts';

const POLICIES: MemberPolicies = { namespaces: { bookinfo: 'Authoritative', shown: 'ReadOnly' } };

function object(name: string, changes: Partial<FoundPolicy> = {}): FoundPolicy {
  const kind = { apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', namespace: 'bookinfo' };
  const spec = { hosts: ['reviews'], http: [{ route: [{ destination: { host: 'reviews' } }] }] };
  return { ...kind, name, uid: `u-${name}`, generation: 1, spec, ...changes };
}

function account(objects: readonly FoundPolicy[], changes: Partial<FoundPolicies> = {}): FoundPolicies {
  const kinds: FoundPolicies['kinds'] = [{ kind: 'VirtualService', state: 'FOLLOWED' }];
  return { term: 1, policies: POLICIES, kinds, objects: [...objects], omitted: [], omittedMore: 0, ...changes };
}

function plan(changes: Partial<AdoptionInput>) {
  const input = { cluster: 'us-east', policies: POLICIES, account: undefined, adopted: [], found: [], hubOwn: () => undefined, ...changes };
  const { writes, found } = adoptionPlan(input);
  return {
    writes: writes.map(shown),
    found: found.map(({ namespace, name, state }) => `${namespace}/${name} ${state}`),
    all: found,
    full: writes,
  };
}

function shown(write: AdoptionWrite): string {
  return `${write.action} ${write.action === 'create' ? write.resource.metadata.name : write.row.name}`;
}

/** What stands after a plan: the rows of what it adopted, and what was found. */
function after(objects: readonly FoundPolicy[]): { adopted: ResourceRow[]; found: readonly FoundRow[] } {
  const { full, all } = plan({ account: account(objects) });
  return { adopted: full.flatMap((write) => (write.action === 'create' ? [newRow(write.resource, new Date(0))] : [])), found: all };
}

describe('what a cluster has', () => {
  it('comes into force by its owner’s name, for its cluster alone, where the mode says so', () => {
    const objects = [
      object('reviews', { annotations: { team: 'a' } }),
      object('seen', { namespace: 'shown' }),
      object('x', { namespace: 'other' }),
    ];
    const { writes, found, full } = plan({ account: account(objects) });
    expect([writes, found]).toEqual([['create reviews@us-east'], ['bookinfo/reviews Adopted', 'shown/seen ReadOnly']]);
    expect(full[0]).toMatchObject({
      resource: {
        apiVersion: 'networking.istio.io/v1',
        metadata: { name: 'reviews@us-east', namespace: 'bookinfo', annotations: { team: 'a', 'hawser.dev/clusters': 'cluster=us-east' } },
      },
    });
  });

  it('is written again as it differs, and goes when its owner has deleted it', () => {
    const { adopted, found } = after([object('a'), object('b')]);
    const changed = object('a', {
      generation: 2,
      spec: { hosts: ['reviews'], http: [{ fault: { abort: { httpStatus: 500 } }, route: [{ destination: { host: 'reviews' } }] }] },
    });
    const next = plan({ account: account([changed]), adopted, found });
    expect([next.writes, next.found]).toEqual([['update a@us-east', 'delete b@us-east'], ['bookinfo/a Adopted']]);
    expect(next.full[0]).toMatchObject({ resource: { spec: changed.spec } });
  });

  it('that is no such resource is refused with the field; what was adopted of it before stays', () => {
    const { adopted, found } = after([object('a')]);
    const bad = object('a', { generation: 2, spec: { hosts: 'reviews' } });
    const next = plan({ account: account([bad, object('c', { spec: { hosts: ['x'], nonsense: 1 } })]), adopted, found });
    expect([next.writes, next.found]).toEqual([[], ['bookinfo/a Refused', 'bookinfo/c Refused']]);
    expect(next.all.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^spec\.hosts .*; what was adopted before stays in force$/),
      expect.stringMatching(/^spec\.nonsense /),
    ]);
  });

  it('that concerns the whole federation is refused by its name', () => {
    const drain = object('out', { apiVersion: 'hawser.dev/v1alpha1', kind: 'Drain', spec: { scope: { region: 'us-east' }, percent: 100 } });
    const steps = { services: ['reviews'], versions: { v1: 0, v2: 100 }, steps: [{ weight: 100 }] };
    const shift = object('s', { apiVersion: 'hawser.dev/v1alpha1', kind: 'TrafficShift', spec: steps });
    const { writes, all } = plan({ account: account([drain, shift]) });
    expect([writes, all.map(({ state }) => state), all[0]?.reason]).toEqual([
      [],
      ['Refused', 'Refused'],
      expect.stringMatching(/^Drain is no kind/),
    ]);
  });

  it('is left where the hub’s own was there first, and taken in when that is gone', () => {
    const own = { kind: 'VirtualService', metadata: { name: 'reviews' } } as Resource;
    const conflict = plan({ account: account([object('reviews')]), hubOwn: () => own });
    expect([conflict.writes, conflict.found, conflict.all[0]?.reason]).toEqual([
      [],
      ['bookinfo/reviews Conflict'],
      expect.stringMatching(/the hub has a VirtualService bookinfo\/reviews .* was there first/),
    ]);
    expect(plan({ account: account([object('reviews')]), found: conflict.all }).writes).toEqual(['create reviews@us-east']);
    const seen = plan({ account: account([object('reviews', { namespace: 'shown' })]), hubOwn: () => own });
    expect([seen.found, seen.all[0]?.reason]).toEqual([['shown/reviews ReadOnly'], expect.stringMatching(/would be a Conflict$/)]);
    // What is in force already is the cluster's, whatever the hub has got since.
    const { adopted, found } = after([object('reviews')]);
    expect(plan({ account: account([object('reviews')]), adopted, found, hubOwn: () => own }).found).toEqual(['bookinfo/reviews Adopted']);
  });
});

describe('unknown is not empty: what was adopted stays', () => {
  const cases: readonly [string, FoundPolicies | undefined][] = [
    ['while nothing was heard', undefined],
    ['while the kind was not read', account([], { kinds: [{ kind: 'VirtualService', state: 'UNREAD', problem: '403' }] })],
    ['while the API server does not have the kind', account([], { kinds: [{ kind: 'VirtualService', state: 'ABSENT' }] })],
    ['by an account of another setting', account([], { policies: { mode: 'ReadOnly' } })],
    ['by an account that names not all it left out', account([], { omittedMore: 1 })],
    [
      'where it is too large now',
      account([], { omitted: [{ kind: 'VirtualService', namespace: 'bookinfo', name: 'a', reason: 'large' }] }),
    ],
  ];
  it.each(cases)('%s', (_case, heard) => {
    const { adopted, found } = after([object('a')]);
    const next = plan({ account: heard, adopted, found });
    expect([next.writes, next.all.length]).toEqual([[], 1]);
  });
});

describe('the setting', () => {
  const { adopted, found } = after([object('a')]);
  it.each([
    ['Off', { namespaces: { bookinfo: 'Off' as const } }, []],
    ['ReadOnly', { mode: 'ReadOnly' as const }, ['bookinfo/a ReadOnly']],
    ['of a cluster that left', undefined, []],
  ])('%s takes away what was adopted, also while the cluster is silent', (_mode, policies, remaining) => {
    const next = plan({ policies, adopted, found });
    expect([next.writes, next.found]).toEqual([['delete a@us-east'], remaining]);
  });
});
