import type { Endpoint, EndpointShard } from '@hawser/model/endpoint-shard.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BackingState } from './backing-states.ts';
import { importedSlices, MOST_ENDPOINTS } from './imported-slices.ts';

const endpoint = (address: string, change: Partial<Endpoint> = {}): Endpoint => ({
  ...{ address, targetPorts: { '80': 8080 }, labels: {}, serviceAccount: 'default', health: 'HEALTHY' },
  ...change,
});
const shardOf = (endpoints: readonly Endpoint[]): EndpointShard => ({
  ...{ cluster: 'west', namespace: 'shop', service: 'web', exported: true },
  ...{ ports: [{ name: 'http', port: 80, protocol: 'http' }], endpoints: [...endpoints] },
});
const ports = [{ name: 'http', port: 80, protocol: 'TCP' as const }];
const made = (endpoints: readonly Endpoint[], existing: ReadonlyMap<string, BackingState> = new Map()) =>
  importedSlices({ importName: 'web', ports, shard: shardOf(endpoints), isDirect: () => true, existing });
const stored = (slices: ReturnType<typeof made>): Map<string, BackingState> =>
  new Map(
    slices.map(
      ({ name, labels, content }) => [name, { resourceVersion: '1', uid: 'u', generation: 1, labels, owners: [], content }] as const,
    ),
  );
const membersOf = (slices: ReturnType<typeof made>): string[][] =>
  slices.map(({ content }) => (content['endpoints'] as { addresses: string[] }[]).map(({ addresses }) => addresses[0] ?? ''));

describe('EndpointSlices of an import', () => {
  it('hold each endpoint once, at most 100 in each, whatever there was before', () => {
    const some = fc.uniqueArray(fc.nat(400), { maxLength: 300 });
    fc.assert(
      fc.property(some, some, (before, after) => {
        const at = (numbers: readonly number[]) => numbers.map((one) => endpoint(`10.0.${one >> 8}.${one & 255}`));
        const first = stored(made(at(before)));
        const slices = made(at(after), first);
        expect(membersOf(slices).flat().sort()).toEqual(
          at(after)
            .map(({ address }) => address)
            .sort(),
        );
        expect(membersOf(slices).every(({ length }) => length > 0 && length <= MOST_ENDPOINTS)).toBe(true);
        // What was there and is, is where it was.
        for (const { name, content } of slices) {
          const kept = (content['endpoints'] as { addresses: string[] }[]).map(({ addresses }) => addresses[0]);
          for (const [other, state] of first)
            if (other !== name)
              expect(
                (state.content['endpoints'] as { addresses: string[] }[]).filter(({ addresses }) => kept.includes(addresses[0])),
              ).toEqual([]);
        }
        expect(made(at(after), stored(slices))).toEqual(slices);
      }),
      { numRuns: 30 },
    );
  });

  it('are of one family and one set of ports each, and say what Kubernetes would of their endpoints', () => {
    const slices = made([
      endpoint('10.0.0.1', { health: 'DRAINING', zone: 'a', hostname: 'web-0' }),
      endpoint('fd00::1', { health: 'UNHEALTHY', hostname: 'Not A Label' }),
      endpoint('10.0.0.2', { targetPorts: { '80': 9090 } }),
    ]);
    expect(slices.map(({ content }) => content)).toEqual([
      {
        ...{ addressType: 'IPv4', ports: [{ name: 'http', port: 8080, protocol: 'TCP' }] },
        endpoints: [
          { addresses: ['10.0.0.1'], conditions: { ready: false, serving: true, terminating: true }, hostname: 'web-0', zone: 'a' },
        ],
      },
      {
        ...{ addressType: 'IPv6', ports: [{ name: 'http', port: 8080, protocol: 'TCP' }] },
        endpoints: [{ addresses: ['fd00::1'], conditions: { ready: false, serving: false, terminating: false } }],
      },
      { ...{ addressType: 'IPv4', ports: [{ name: 'http', port: 9090, protocol: 'TCP' }] }, endpoints: [expect.anything()] },
    ]);
  });

  it('have no port that the import has under another number', () => {
    const other = [{ name: 'http', port: 81, protocol: 'TCP' as const }];
    const [slice] = importedSlices({
      importName: 'web',
      ports: other,
      shard: shardOf([endpoint('10.0.0.1')]),
      isDirect: () => true,
      existing: new Map(),
    });
    expect(slice?.content['ports']).toEqual([]);
  });
});
