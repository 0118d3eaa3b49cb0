import { Compile } from 'typebox/compile';
import { expect, it } from 'vitest';
import { EndpointShard, exportFactsOf, PublishedShard, publishedShard, receivedShard } from './endpoint-shard.ts';

const endpoint = (address: string, network?: string) => ({
  ...{ address, targetPorts: { '80': 9080 }, labels: {}, serviceAccount: 'reviews', health: 'HEALTHY' as const },
  ...(network === undefined ? {} : { network }),
});
const shard = (...endpoints: ReturnType<typeof endpoint>[]): EndpointShard => ({
  ...{ cluster: 'east', namespace: 'bookinfo', service: 'reviews', exported: true },
  ports: [{ port: 80, protocol: 'http' }],
  endpoints,
});

it('comes back as it was published, in the order of addresses', () => {
  const whole = shard(endpoint('10.0.0.1'), endpoint('10.0.0.2', 'west'), endpoint('10.0.0.3'));
  expect(receivedShard(publishedShard(whole))).toEqual(whole);
  expect(Compile(PublishedShard).Check(publishedShard(whole))).toBe(true);
});

it('hides endpoints in other networks from members of an earlier release, which read `endpoints` alone', () => {
  const published = publishedShard(shard(endpoint('10.0.0.1'), endpoint('10.0.0.2', 'west')));
  expect(published.endpoints.map(({ address }) => address)).toEqual(['10.0.0.1']);
  expect(Compile(EndpointShard).Check(published)).toBe(true);
});

it('hides bare endpoints from members of an earlier release too: those would call a sidecar there', () => {
  const bare = (address: string, network?: string) => ({ ...endpoint(address, network), bare: true as const });
  const whole = shard(bare('10.0.0.1'), endpoint('10.0.0.2', 'west'), endpoint('10.0.0.3'), bare('10.0.0.4', 'west'));
  const published = publishedShard(whole);
  expect(published.endpoints.map(({ address }) => address)).toEqual(['10.0.0.3']);
  expect(published.elsewhere?.map(({ address }) => address)).toEqual(['10.0.0.2']);
  expect(Compile(PublishedShard).Check(published)).toBe(true);
  expect(receivedShard(published)).toEqual(whole);
});

it('is the same object where nothing is elsewhere: it costs nothing', () => {
  const whole = shard(endpoint('10.0.0.1'));
  expect(publishedShard(whole)).toBe(whole);
});

it('has the facts of its export, those of a shard of an earlier release, or those that it can read', () => {
  const facts = { type: 'Headless' as const, ports: [{ protocol: 'UDP' as const, port: 53 }] };
  const whole = { ...shard(endpoint('10.0.0.1'), endpoint('10.0.0.2', 'west')), export: facts };
  expect(receivedShard(publishedShard(whole))).toEqual(whole);
  expect(exportFactsOf(whole)).toBe(facts);
  const later = { ...shard(endpoint('10.0.0.1')), export: { type: 'AnycastIP', ports: [] } };
  expect(Compile(PublishedShard).Check(later)).toBe(true);
  expect(receivedShard(later)).toEqual(shard(endpoint('10.0.0.1')));
  expect(exportFactsOf(receivedShard(later))).toEqual({ type: 'ClusterSetIP', ports: [{ protocol: 'TCP', port: 80 }] });
});
