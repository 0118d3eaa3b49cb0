import { kindNamed } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { describe, expect, it } from 'vitest';
import { memberOf, policyOf } from '../fleet/fleet-fixture.ts';
import { adoptedIn } from '../placement/adopted.ts';
import { clusterChanges } from './cluster-changes.ts';
import type { Planned } from './resource-plan.ts';

const EAST = memberOf('east');
const SPEC = { hosts: ['reviews'] };
const PLACE = { kind: 'VirtualService', namespace: 'bookinfo', name: 'reviews' };
const stored = (name = 'reviews', clusters?: string): Resource =>
  policyOf('VirtualService', name, SPEC, clusters === undefined ? undefined : { 'hawser.dev/clusters': clusters });
const OWN = stored('reviews@east', 'cluster=east');

function planned(before: Resource | undefined, after: Resource | undefined): Planned {
  const fields = [{ path: 'spec', before: null, after: null }];
  return { kind: kindNamed('VirtualService'), before, after, difference: { ...PLACE, action: 'replace', fields, text: '' } };
}

function changes(one: Planned, own: { readonly adopted?: readonly Resource[]; readonly waiting?: Resource } = {}) {
  return clusterChanges([one], EAST, { adopted: adoptedIn(own.adopted ?? []), waiting: () => own.waiting });
}

describe('a write of the hub', () => {
  it('comes, differs or goes where it is placed, and nowhere else', () => {
    const comes = [{ ...PLACE, policy: expect.objectContaining({ metadata: expect.objectContaining({ name: 'reviews' }), spec: SPEC }) }];
    expect(changes(planned(undefined, stored()))).toEqual({ changes: comes, notes: [] });
    expect(changes(planned(stored(), undefined))).toEqual({ changes: [PLACE], notes: [] });
    expect(changes(planned(stored(), stored('reviews', 'cluster!=east')))).toEqual({ changes: [PLACE], notes: [] });
    expect(changes(planned(undefined, stored('reviews', 'cluster!=east')))).toEqual({ changes: [], notes: [] });
  });

  it('changes nothing where the cluster has its own, and says so; another cluster’s own does not matter', () => {
    const notes = ['it has a VirtualService bookinfo/reviews of its own, which stays in force there'];
    for (const after of [stored(), undefined])
      expect(changes(planned(stored(), after), { adopted: [OWN] })).toEqual({ changes: [], notes });
    const theirs = stored('reviews@west', 'cluster=west');
    expect(changes(planned(stored(), undefined), { adopted: [theirs] })).toEqual({ changes: [PLACE], notes: [] });
  });

  it('that goes makes room for the cluster’s own that waits', () => {
    const policy = expect.objectContaining({ metadata: expect.objectContaining({ name: 'reviews' }) });
    const notes = ['it has a VirtualService bookinfo/reviews of its own, which comes into force there'];
    for (const after of [undefined, stored('reviews', 'cluster!=east')])
      expect(changes(planned(stored(), after), { waiting: OWN })).toEqual({ changes: [{ ...PLACE, policy }], notes });
    expect(changes(planned(stored(), stored()), { waiting: OWN }).notes).toEqual([]);
  });
});
