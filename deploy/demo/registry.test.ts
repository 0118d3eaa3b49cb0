import { parseRegistryFile } from '@hawser/agent/discover/registry-file.ts';
import { describe, expect, test } from 'vitest';
import { registryFiles } from './registry.ts';
import { demoClusters, listenersOf } from './topology.ts';

const clusters = demoClusters('127.77');

describe("the demo's registries", () => {
  test.each(clusters)('an agent takes every file of $name', (cluster) => {
    for (const [name, text] of registryFiles(cluster)) expect(parseRegistryFile(text), name).toHaveProperty('objects');
  });

  test('every region has every service but ratings, which us-east lacks', () => {
    const services = clusters.map((cluster) => [...registryFiles(cluster).keys()].filter((name) => !name.startsWith('workload-')));
    const three = ['productpage.yaml', 'details.yaml', 'reviews.yaml'];
    expect(services).toEqual([three, [...three, 'ratings.yaml'], [...three, 'ratings.yaml']]);
  });

  test('addresses are those of the contract, and no two things listen at one place', () => {
    expect(clusters.map(({ address }) => address)).toEqual(['127.77.1.1', '127.77.2.1', '127.77.3.1']);
    expect(clusters[1]?.workloads.map(({ address }) => address)).toEqual([10, 11, 12, 13, 14, 15, 16].map((last) => `127.77.2.${last}`));
    const places = clusters.flatMap(listenersOf).map(({ address, port }) => `${address}:${port}`);
    expect(new Set(places).size).toBe(places.length);
  });
});
