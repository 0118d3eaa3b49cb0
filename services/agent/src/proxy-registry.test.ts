/** Sidecars that come and go, and the workloads of WorkloadGroups that they stand for; on a real registry directory. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Resource } from '@hawser/model/resource.ts';
import { WORKLOAD_GROUP_LABEL } from '@hawser/model/workload-group.ts';
import { afterEach, expect, it } from 'vitest';
import type { ControlLoop } from './control-loop.ts';
import { LocalSource } from './discover/local-source.ts';
import { ProxyRegistry } from './proxy-registry.ts';
import type { Shards } from './state/endpoint-brake.ts';

const SERVICE = `{apiVersion: v1, kind: Service, metadata: {name: reviews, namespace: bookinfo}, spec: {selector: {app: reviews}, ports: [{name: http, port: 80}]}}`;
const GROUP: Resource = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'WorkloadGroup',
  metadata: { namespace: 'bookinfo', name: 'machines' },
  spec: { metadata: { labels: { app: 'reviews' } }, template: { ports: { http: 8080 }, serviceAccount: 'reviews' } },
};
const MACHINE = {
  ...{ role: 'sidecar' as const, name: 'vm', address: '127.0.0.9', namespace: 'bookinfo', serviceAccount: 'reviews' },
  labels: { [WORKLOAD_GROUP_LABEL]: 'machines' },
};

const folder = mkdtempSync(join(tmpdir(), 'hawser-joined-'));
const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  rmSync(folder, { recursive: true, force: true });
});

it('registers a machine while its group is there and its sidecar is, and a moment longer', async () => {
  writeFileSync(join(folder, 'service.yaml'), SERVICE);
  let shards: Shards = new Map();
  let policies: ReadonlyMap<string, Resource> = new Map();
  const local = new LocalSource({
    ...{ cluster: 'east', registryDir: folder, checkMs: 0, onWarnings: () => undefined },
    onShards: (next) => {
      shards = next;
    },
  });
  await local.start();
  const loop = { attach: () => undefined, detach: () => undefined } as unknown as ControlLoop;
  const registry = new ProxyRegistry({
    ...{ loop, local, saved: [], policies: () => policies, network: () => 'east', onChange: () => undefined },
    verify: async () => undefined,
  });
  stops.push(
    () => registry.stop(),
    () => local.stop(),
  );
  const served = (): unknown => shards.get('bookinfo/reviews')?.endpoints.map(({ address, targetPorts }) => [address, targetPorts]);
  registry.attach(MACHINE);
  await expect.poll(served, { timeout: 10_000 }).toEqual([]);
  policies = new Map([['WorkloadGroup/bookinfo/machines', GROUP]]);
  registry.rejoin();
  expect(served()).toEqual([['127.0.0.9', { '80': 8080 }]]);
  registry.detach(MACHINE);
  expect(served()).toEqual([['127.0.0.9', { '80': 8080 }]]);
  policies = new Map();
  registry.rejoin();
  expect(served()).toEqual([]);
});
