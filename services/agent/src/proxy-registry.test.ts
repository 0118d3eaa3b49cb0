/** Sidecars that come and go, and the workloads of WorkloadGroups that they stand for; on a real registry directory. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Resource } from '@hawser/model/resource.ts';
import { WORKLOAD_GROUP_LABEL } from '@hawser/model/workload-group.ts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ControlLoop } from './control-loop.ts';
import { LocalSource } from './discover/local-source.ts';
import { registryDirectory } from './discover/registry-directory.ts';
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

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hawser-joined-'));
});
const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A registry on a local source that has read a Service. */
async function started() {
  writeFileSync(join(folder, 'service.yaml'), SERVICE);
  let shards: Shards = new Map();
  let policies: ReadonlyMap<string, Resource> = new Map();
  const local = new LocalSource({
    ...{ cluster: 'east', openRegistry: registryDirectory(folder), checkMs: 0, onWarnings: () => undefined },
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
  return {
    registry,
    endpoints: () => shards.get('bookinfo/reviews')?.endpoints,
    setGroup: (...groups: readonly Resource[]): void => {
      policies = new Map(groups.map((group) => ['WorkloadGroup/bookinfo/machines', group]));
      registry.rejoin();
    },
  };
}

it('registers a machine while its group is there and its sidecar is, and a moment longer', async () => {
  const { registry, endpoints, setGroup } = await started();
  const served = (): unknown => endpoints()?.map(({ address, targetPorts }) => [address, targetPorts]);
  registry.attach(MACHINE);
  await expect.poll(served, { timeout: 10_000 }).toEqual([]);
  setGroup(GROUP);
  expect(served()).toEqual([['127.0.0.9', { '80': 8080 }]]);
  registry.detach(MACHINE);
  expect(served()).toEqual([['127.0.0.9', { '80': 8080 }]]);
  setGroup();
  expect(served()).toEqual([]);
});

it('believes what a machine says of its readiness; while it says nothing, what is in force stays, and who is new waits', async () => {
  const { registry, endpoints, setGroup } = await started();
  const ready = (): unknown => endpoints()?.map((endpoint) => [endpoint.address, endpoint.ready !== false]);
  const { name, address, namespace, serviceAccount } = MACHINE;
  const watch = () => registry.readiness.watch({ name, address, namespace, serviceAccount }, 'machines', () => undefined);
  const report = { name, address, group: 'machines' };
  setGroup(GROUP);
  registry.attach(MACHINE);
  await expect.poll(ready, { timeout: 10_000 }).toEqual([['127.0.0.9', true]]);
  setGroup({ ...GROUP, spec: { ...(GROUP.spec as object), probe: { tcpSocket: { port: 8081 } } } });
  expect(ready()).toEqual([['127.0.0.9', true]]);
  const first = watch();
  first.heard(report);
  expect(ready()).toEqual([['127.0.0.9', true]]);
  first.heard({ ...report, ready: false });
  await expect.poll(ready, { timeout: 10_000 }).toEqual([['127.0.0.9', false]]);
  first.close();
  registry.rejoin();
  expect(ready()).toEqual([['127.0.0.9', false]]);
  watch().heard({ ...report, ready: true });
  await expect.poll(ready, { timeout: 10_000 }).toEqual([['127.0.0.9', true]]);
  registry.attach({ ...MACHINE, name: 'vm-2', address: '127.0.0.10' });
  expect(ready()).toEqual([
    ['127.0.0.10', false],
    ['127.0.0.9', true],
  ]);
});
