import { MAX_ADOPTED, MAX_ADOPTED_BYTES, MAX_ADOPTED_TOTAL_BYTES, MAX_NAMED_OMISSIONS } from '@hawser/model/adoption.ts';
import { type KindDescriptor, kindNamed } from '@hawser/model/kinds.ts';
import { describe, expect, it } from 'vitest';
import { policyAccount, type ReadKind } from './policy-account.ts';
import { type PolicyFacts, policyReader } from './policy-facts.ts';

const virtualService = kindNamed('VirtualService') as KindDescriptor;
const read = policyReader(virtualService);
const raw = (name: string, more: object = {}) => ({
  ...{ apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService' },
  metadata: { name, namespace: 'bookinfo', uid: `u-${name}`, generation: 3, ...more },
  spec: { hosts: ['reviews'] },
});

function kindOf(objects: readonly unknown[], more: Partial<ReadKind> = {}): ReadKind {
  const facts = objects.map((one) => read(one)?.facts as PolicyFacts);
  const byKey = new Map(facts.map((one) => [`${one.namespace}/${one.name}`, one]));
  return { kind: 'VirtualService', state: 'FOLLOWED', problem: undefined, objects: byKey, ...more };
}

describe('what is told of a policy', () => {
  it('is what its owner wrote, without the copy that kubectl keeps and the selector of the hub', () => {
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', 'hawser.dev/clusters': 'region=eu', team: 'shop' };
    const object = raw('reviews', { annotations, labels: { app: 'x' }, managedFields: [{ manager: 'kubectl' }], resourceVersion: '7' });
    expect(read({ ...object, status: { conditions: [] } })?.facts?.policy).toEqual({
      ...{ apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', namespace: 'bookinfo', name: 'reviews' },
      ...{ uid: 'u-reviews', generation: 3, labels: { app: 'x' }, annotations: { team: 'shop' }, spec: { hosts: ['reviews'] } },
    });
  });

  it('keeps nothing of one that is too large, and says so', () => {
    const facts = read({ ...raw('large'), spec: { hosts: ['x'.repeat(MAX_ADOPTED_BYTES)] } })?.facts;
    expect([facts?.policy, facts?.omitted]).toEqual([undefined, expect.stringMatching(/65 KiB .* 64 KiB/)]);
  });

  it('names the field of one that is no object of its kind', () => {
    expect(read({ metadata: { name: 'odd', namespace: 'bookinfo', generation: 'three' } })?.problem).toMatch(/bookinfo\/odd: metadata/);
  });
});

describe('the account', () => {
  it('is the same whatever the order in which objects were heard of', () => {
    const objects = ['b', 'a', 'c'].map((name) => raw(name));
    expect(policyAccount([kindOf(objects)])).toEqual(policyAccount([kindOf([...objects].reverse())]));
    expect(policyAccount([kindOf(objects)]).objects.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });

  it('names what goes beyond the number and the total, and tells the rest', () => {
    const many = Array.from({ length: MAX_ADOPTED + MAX_NAMED_OMISSIONS + 5 }, (_, index) => raw(`r${String(index).padStart(5, '0')}`));
    const { objects, omitted, omittedMore } = policyAccount([kindOf(many)]);
    expect([objects.length, omitted.length, omittedMore, omitted[0]]).toEqual([
      MAX_ADOPTED,
      MAX_NAMED_OMISSIONS,
      5,
      { kind: 'VirtualService', namespace: 'bookinfo', name: 'r01000', reason: expect.stringContaining(`${MAX_ADOPTED} objects`) },
    ]);
    const large = Array.from({ length: 40 }, (_, index) => ({ ...raw(`l${index}`), spec: { hosts: ['x'.repeat(60 * 1024)] } }));
    const account = policyAccount([kindOf([...large, raw('small')])]);
    expect(JSON.stringify(account.objects).length).toBeLessThan(MAX_ADOPTED_TOTAL_BYTES + 64 * 1024);
    expect(account.objects.map(({ name }) => name)).toContain('small');
    expect(account.omitted.length).toBe(41 - account.objects.length);
  });

  it('says of a kind that was not listed that nothing is known of it', () => {
    const { kinds } = policyAccount([kindOf([], { state: 'UNREAD', problem: '403' })]);
    expect(kinds).toEqual([{ kind: 'VirtualService', state: 'UNREAD', problem: '403' }]);
  });
});
