import type { Resource } from '@hawser/model/resource.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PolicyProbation, type ProxyRefusal } from './policy-probation.ts';

function route(name: string, text = 'first'): Resource {
  return { apiVersion: 'v1', kind: 'VirtualService', metadata: { name, namespace: 'ns' }, spec: { text } };
}

function policies(...all: readonly Resource[]): ReadonlyMap<string, Resource> {
  return new Map(all.map((one) => [`${one.kind}/ns/${one.metadata.name}`, one]));
}

function refusal(version: string, changes: Partial<ProxyRefusal> = {}): ProxyRefusal {
  return { proxy: 'p', type: 'RDS', resource: 'outbound', version, message: 'no', at: 'now', ...changes };
}

/** The content that is compiled. */
function content(probation: PolicyProbation): string {
  return [...probation.effective.values()].map(({ metadata, spec }) => `${metadata.name}:${(spec as { text: string }).text}`).join(' ');
}

/** A proxy that refuses whatever holds one of these texts, asked until nothing changes. Returns how often it refused. */
function serve(probation: PolicyProbation, bad: readonly string[], proxy = 'p'): number {
  let refusals = 0;
  for (let turn = 0; turn < 1000; turn += 1) {
    const version = content(probation);
    const isRefused = bad.some((text) => version.includes(text));
    if (isRefused) refusals += 1;
    const changed = isRefused ? probation.refuse(refusal(version, { proxy })) : probation.accept(proxy, true);
    if (!changed) return refusals;
  }
  throw new Error('it never ends');
}

describe('PolicyProbation', () => {
  it('replaces the one new policy that is refused by its last accepted version, and serves it again when it is fixed', () => {
    const probation = new PolicyProbation();
    probation.want(policies(route('a'), route('b')), 1);
    expect(serve(probation, ['bad'])).toBe(0);
    probation.want(policies(route('a', 'bad'), route('b')), 2);
    expect(serve(probation, ['bad'])).toBe(1);
    expect(content(probation)).toBe('a:first b:first');
    expect(probation.refused).toMatchObject([{ key: 'VirtualService/ns/a', revision: 2, refusal: { message: 'no' } }]);
    expect(probation.hasStandIn('VirtualService/ns/a')).toBe(true);
    probation.want(policies(route('a', 'bad'), route('b', 'second')), 3);
    expect(serve(probation, ['bad'])).toBe(0);
    expect(content(probation)).toBe('a:first b:second');
    probation.want(policies(route('a', 'good'), route('b', 'second')), 4);
    expect(serve(probation, ['bad'])).toBe(0);
    expect(content(probation)).toBe('a:good b:second');
    expect(probation.refused).toEqual([]);
  });

  it('finds exactly the bad ones among many, in halves', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { minLength: 1 }), fc.func(fc.boolean()), (numbers, isBad) => {
        const probation = new PolicyProbation();
        const texts = numbers.map((number) => (isBad(number) ? `bad${number}` : `good${number}`));
        const bad = texts.filter((text) => text.startsWith('bad'));
        probation.want(policies(...numbers.map((number, index) => route(`n${number}`, texts[index]))), 1);
        const refusals = serve(probation, ['bad']);
        expect(probation.refused.map(({ key }) => key).sort()).toEqual(bad.map((text) => `VirtualService/ns/n${text.slice(3)}`).sort());
        expect(probation.active).toBe(false);
        expect(content(probation).includes('bad')).toBe(false);
        expect(probation.effective.size).toBe(numbers.length - bad.length);
        expect(refusals).toBeLessThanOrEqual(bad.length * (Math.ceil(Math.log2(numbers.length)) + 1));
      }),
    );
  });

  it('blames no policy for what is refused without it too', () => {
    const probation = new PolicyProbation();
    probation.want(policies(route('a')), 1);
    serve(probation, []);
    probation.want(policies(route('a', 'second')), 2);
    expect(serve(probation, ['a:'])).toBeGreaterThan(0);
    expect(probation.refused).toEqual([]);
    expect(content(probation)).toBe('a:second');
    expect(probation.active).toBe(false);
  });

  it('suspects only policies that have a part in what is refused', () => {
    const probation = new PolicyProbation();
    probation.want(policies(route('a', 'bad')), 1);
    for (const type of ['LDS', 'SDS', 'CDS', 'EDS'] as const) expect(probation.refuse(refusal('1', { type, resource: 'x' }))).toBe(false);
    const subset = { ...route('d'), kind: 'DestinationRule', spec: { text: 'd', host: 'reviews' } };
    probation.want(policies(subset), 2);
    const cluster = (service: string) => refusal('1', { type: 'CDS', resource: `outbound|80|v1|${service}.ns.svc.clusterset.local` });
    expect(probation.refuse(cluster('details'))).toBe(false);
    expect(probation.refuse(cluster('reviews'))).toBe(true);
    expect(content(probation)).toBe('');
  });

  it('suspects Gateways, and what is bound to them, of what edge proxies refuse', () => {
    const gateway = { ...route('site', 'bad'), kind: 'Gateway' };
    for (const type of ['LDS', 'SDS'] as const) {
      const probation = new PolicyProbation();
      probation.want(policies(gateway, route('a')), 1);
      expect(probation.refuse(refusal('1', { type, resource: 'outbound' }))).toBe(false);
      expect(probation.refuse(refusal('1', { type, resource: 'edge|10.0.0.1:443' }))).toBe(true);
      // One half of the suspects is tried at a time.
      expect(content(probation)).toBe('site:bad');
    }
  });

  it('lets one proxy decide, and another go on when it leaves', () => {
    const probation = new PolicyProbation();
    probation.want(policies(route('a', 'bad'), route('b')), 1);
    expect(probation.refuse(refusal('1', { proxy: 'p' }))).toBe(true);
    expect(probation.accept('q', false)).toBe(false);
    expect(probation.refuse(refusal('2', { proxy: 'q' }))).toBe(false);
    probation.gone('p');
    serve(probation, ['bad'], 'q');
    expect(content(probation)).toBe('b:first');
  });

  it('tries what changes meanwhile by itself, and serves everything when the witness falls silent', () => {
    const probation = new PolicyProbation();
    probation.want(policies(route('a'), route('b', 'bad')), 1);
    probation.refuse(refusal('1'));
    expect(content(probation)).toBe('a:first');
    probation.want(policies(route('a'), route('b', 'bad'), route('c')), 2);
    expect(content(probation)).toBe('a:first');
    serve(probation, ['bad']);
    expect(content(probation)).toBe('a:first c:first');
    const silent = new PolicyProbation();
    silent.want(policies(route('a'), route('b')), 1);
    silent.refuse(refusal('1'));
    silent.giveUp();
    expect(content(silent)).toBe('a:first b:first');
  });

  it('keeps its word over a restart', () => {
    const before = new PolicyProbation();
    before.want(policies(route('a'), route('b')), 1);
    serve(before, []);
    before.want(policies(route('a', 'bad'), route('b'), route('c', 'bad')), 2);
    serve(before, ['bad']);
    const after = new PolicyProbation(JSON.parse(JSON.stringify(before.saved())));
    after.want(policies(route('a', 'bad'), route('b'), route('c', 'bad')), 0);
    expect(content(after)).toBe('a:first b:first');
    expect(after.refused).toEqual(before.refused);
    expect(after.pending).toBe(true);
    after.want(policies(route('b')), 3);
    expect(after.refused).toEqual([]);
  });
});
