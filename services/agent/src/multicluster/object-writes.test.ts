import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withFindings } from './conditions.ts';
import { type JsonObject, mergePatch } from './merge-patch.ts';
import type { ImportState } from './object-states.ts';
import { exportWrite, importWrite } from './object-writes.ts';
import type { WantedImport } from './wanted-import.ts';

const place = { collection: '/apis/multicluster.x-k8s.io/v1alpha1/serviceimports', namespace: 'shop', name: 'web' };
const now = '2026-11-22T12:00:00Z';
const earlier = '2026-11-22T11:00:00Z';
const wanted: WantedImport = {
  ...{ labels: { a: 'b' }, annotations: {}, spec: { type: 'Headless', ports: [{ port: 80 }] } },
  status: { clusters: [{ cluster: 'east' }, { cluster: 'west' }], endpointSliceObjects: 'Absent' },
  finding: { type: 'Ready', status: 'True', reason: 'Ready', message: 'so' },
};
const condition = { type: 'Ready', status: 'True', reason: 'Ready', message: 'so', observedGeneration: 3, lastTransitionTime: earlier };
const current: ImportState = {
  ...{ resourceVersion: '9', uid: 'u', generation: 3, labels: wanted.labels, annotations: {}, spec: { ...wanted.spec } },
  status: { ...wanted.status, conditions: [condition] },
};
const write = (existing: ImportState | undefined, verdict: Parameters<typeof importWrite>[1] = wanted) =>
  importWrite(place, verdict, { existing, now });

describe('an import', () => {
  it('is made in the version that the server has', () => {
    expect(write(undefined)).toMatchObject({
      ...{ method: 'POST', path: '/apis/multicluster.x-k8s.io/v1alpha1/namespaces/shop/serviceimports' },
      body: { apiVersion: 'multicluster.x-k8s.io/v1alpha1', kind: 'ServiceImport', metadata: { name: 'web', namespace: 'shop' } },
    });
  });

  it('as it should be is not written, in whatever order its clusters stand', () => {
    expect(write(current)).toBeUndefined();
    const clusters = [{ cluster: 'west' }, { cluster: 'east' }];
    expect(write({ ...current, status: { ...current.status, clusters } })).toBeUndefined();
  });

  it('that differs is patched upon the version that was read, its spec before its status', () => {
    const edited = { ...current, labels: { c: 'd' }, spec: { ...wanted.spec, sessionAffinity: 'ClientIP' }, status: undefined };
    expect(write(edited)?.body).toEqual({
      metadata: { labels: { a: 'b', c: null }, resourceVersion: '9', uid: 'u' },
      spec: { sessionAffinity: null },
    });
    const unsaid = write({ ...current, status: undefined });
    expect(unsaid).toMatchObject({ method: 'PATCH', path: expect.stringMatching(/\/web\/status$/) });
  });

  it('is deleted as it was read, or not at all', () => {
    expect(write(current, 'absent')).toMatchObject({ method: 'DELETE', body: { preconditions: { resourceVersion: '9', uid: 'u' } } });
    for (const verdict of ['leave', 'foreign'] as const) expect(write(current, verdict)).toBeUndefined();
    expect(write(undefined, 'absent')).toBeUndefined();
  });
});

describe('conditions', () => {
  const found = { type: 'Ready', status: 'True', reason: 'Better', message: 'now' } as const;

  it('keep their time while their status is the same', () => {
    const [same] = withFindings([condition], [found], { generation: 4, now });
    expect(same).toEqual({ ...found, observedGeneration: 4, lastTransitionTime: earlier });
    const [other] = withFindings([condition], [{ ...found, status: 'False' }], { generation: 4, now });
    expect(other?.lastTransitionTime).toBe(now);
  });

  it('of others stay, and nothing is written where nothing differs', () => {
    const theirs = { type: 'Audited', status: 'True', lastTransitionTime: earlier };
    const existing = { resourceVersion: '1', uid: 'u', generation: 3, conditions: [theirs, condition] };
    const { observedGeneration: _, lastTransitionTime: __, ...same } = { ...condition, status: 'True' as const };
    expect(exportWrite(place, [same], { existing, now })).toBeUndefined();
    expect(exportWrite(place, [found], { existing, now })?.body).toMatchObject({ status: { conditions: [theirs, { reason: 'Better' }] } });
  });
});

describe('a merge patch', () => {
  const json = fc.jsonValue({ maxDepth: 3 }).filter((value) => !JSON.stringify(value).includes('null'));
  const objects = fc.dictionary(fc.constantFrom('a', 'b', 'c'), json);

  /** RFC 7396, section 2. */
  function applied(target: unknown, patch: unknown): unknown {
    if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
    const base = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {};
    const result: Record<string, unknown> = { ...base };
    for (const [key, value] of Object.entries(patch)) {
      if (value === null) delete result[key];
      else result[key] = applied(result[key], value);
    }
    return result;
  }

  it('makes one object the other, and is none where they are equal', () => {
    fc.assert(
      fc.property(objects, objects, (from, to) => {
        const patch = mergePatch(from as JsonObject, to as JsonObject);
        expect(applied(from, patch ?? {})).toEqual(to);
        expect(mergePatch(to as JsonObject, to as JsonObject)).toBeUndefined();
      }),
    );
  });
});
