/** WorkloadGroups: who joins, and what becomes of it in the shards. */
import type { Resource } from '@hawser/model/resource.ts';
import { WORKLOAD_GROUP_LABEL } from '@hawser/model/workload-group.ts';
import { describe, expect, it } from 'vitest';
import type { ProxyRef } from '../state/world.ts';
import { healthCheckOf } from './health-check.ts';
import { joinedWorkloads } from './joined-workloads.ts';
import { localServices } from './local-shards.ts';
import type { RegistryObject, WorkloadEntryObject } from './registry-kinds.ts';

const GROUP: Resource = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'WorkloadGroup',
  metadata: { namespace: 'bookinfo', name: 'machines' },
  spec: {
    metadata: { labels: { app: 'reviews', version: 'vm' }, annotations: { team: 'one' } },
    template: { ports: { http: 8080 }, serviceAccount: 'reviews', locality: 'us-east/rack/1', weight: 3 },
    probe: { httpGet: { port: 8081, path: '/ready' } },
  },
};
const MEMBERS = { labels: { app: 'reviews' } };
const POLICIES = new Map([['WorkloadGroup/bookinfo/machines', GROUP]]);
const MACHINE: ProxyRef = {
  ...{ role: 'sidecar', address: '10.0.0.7', name: 'vm-7', namespace: 'bookinfo', serviceAccount: 'reviews' },
  labels: { [WORKLOAD_GROUP_LABEL]: 'machines', app: 'claimed', rack: '7' },
};
const SERVICE: RegistryObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'reviews', namespace: 'bookinfo' },
  spec: { selector: { app: 'reviews' }, ports: [{ name: 'http', port: 80, targetPort: 9080 }] },
};
const healthy = (): undefined => undefined;

/** Everybody is ready. */
const context = (policies: ReadonlyMap<string, Resource> = POLICIES) => ({ policies, isReady: () => true });

function joined(machine: Partial<ProxyRef> = {}): readonly WorkloadEntryObject[] {
  return joinedWorkloads([{ ...MACHINE, ...machine }], context());
}

describe('joining', () => {
  it('gives the machine what the group says, before what it claims itself', () => {
    expect(joined().map(({ spec, metadata }) => ({ ...spec, annotations: metadata.annotations }))).toEqual([
      {
        ...{ address: '10.0.0.7', ports: { http: 8080 }, serviceAccount: 'reviews', locality: 'us-east/rack/1', weight: 3 },
        labels: { [WORKLOAD_GROUP_LABEL]: 'machines', app: 'reviews', version: 'vm', rack: '7' },
        annotations: { team: 'one', 'hawser.dev/sidecar': 'joined' },
      },
    ]);
  });

  it.each([
    ['another account', { serviceAccount: 'other' }],
    ['another namespace', { namespace: 'elsewhere' }],
    ['a group that is not there', { labels: { [WORKLOAD_GROUP_LABEL]: 'nobody' } }],
    ['no group', { labels: {} }],
    ['an account that is not proven', { serviceAccount: undefined as never }],
    ['a gateway', { role: 'gateway' as const }],
  ])('is not for %s', (_what, machine) => {
    expect(joined(machine)).toEqual([]);
  });
});

describe('the network of a group', () => {
  const inNetwork = (network: string): ReadonlyMap<string, Resource> => {
    const spec = GROUP.spec as { readonly template: object };
    return new Map([['WorkloadGroup/bookinfo/machines', { ...GROUP, spec: { ...spec, template: { ...spec.template, network } } }]]);
  };

  const served = (network: string) => {
    const entries = joinedWorkloads([MACHINE], context(inNetwork(network)));
    const { shards, targets } = localServices('east', [SERVICE, ...entries], { healthOf: healthy, network: 'east' });
    return { endpoint: shards.get('bookinfo/reviews')?.endpoints[0], targets };
  };

  it.each(['east', ''])('is that of its cluster: %j', (network) => {
    const { endpoint, targets } = served(network);
    expect(endpoint).toMatchObject({ address: '10.0.0.7' });
    expect(endpoint).not.toHaveProperty('network');
    expect(targets).toHaveLength(1);
  });

  it('is published where it is another; its addresses are not checked from here', () => {
    const { endpoint, targets } = served('west');
    expect(endpoint).toMatchObject({ address: '10.0.0.7', network: 'west' });
    expect(targets).toEqual([]);
  });

  it('leaves out who only ServiceEntries select: gateways elsewhere do not know them', () => {
    const entries = joinedWorkloads([MACHINE], context(inNetwork('west')));
    expect(localServices('east', entries, { healthOf: healthy, network: 'east' }).shards.get('bookinfo/~')).toBeUndefined();
    expect(localServices('west', entries, { healthOf: healthy, network: 'west' }).shards.get('bookinfo/~')?.endpoints).toHaveLength(1);
  });
});

describe('a machine that joined', () => {
  it('serves what selects it, at the port of the template', () => {
    const { shards, targets } = localServices('east', [SERVICE, ...joined()], { healthOf: healthy });
    expect(shards.get('bookinfo/reviews')?.endpoints).toMatchObject([
      { address: '10.0.0.7', targetPorts: { '80': 8080 }, serviceAccount: 'reviews', zone: 'rack', weight: 3 },
    ]);
    expect(targets).toEqual([{ address: '10.0.0.7', port: 8080, check: { kind: 'tcp' } }]);
  });

  it.each([
    ['is checked as an annotation of its group says', { metadata: { ...MEMBERS, annotations: { 'hawser.dev/health-check': 'none' } } }, []],
    ['is checked by TCP at its own port unless its group says anything', {}, [8080]],
  ])('%s', (_what, spec, ports) => {
    const { probe: _probe, ...rest } = GROUP.spec as Readonly<Record<string, unknown>>;
    const policies = new Map([['WorkloadGroup/bookinfo/machines', { ...GROUP, spec: { ...rest, ...spec } }]]);
    const { targets } = localServices('east', [SERVICE, ...joinedWorkloads([MACHINE], context(policies))], { healthOf: healthy });
    expect(targets.map(({ port }) => port)).toEqual(ports);
  });

  it.each([
    ['a Service', [SERVICE], 'bookinfo/reviews'],
    ['ServiceEntries', [], 'bookinfo/~'],
  ])('is not ready for %s until its probe succeeds, whatever the checks find', (_what, objects, key) => {
    const notReady = joinedWorkloads([MACHINE], { ...context(), isReady: ({ address }) => address !== MACHINE.address });
    const { shards } = localServices('east', [...objects, ...notReady], { healthOf: healthy });
    expect(shards.get(key)?.endpoints).toMatchObject([{ health: 'UNHEALTHY', ready: false }]);
    const ready = localServices('east', [...objects, ...joined()], { healthOf: healthy });
    expect(ready.shards.get(key)?.endpoints[0]).not.toHaveProperty('ready');
  });

  it('is there for ServiceEntries when no Service selects it, its ports by name', () => {
    const { shards, targets } = localServices('east', joined(), { healthOf: healthy });
    expect([...shards.keys()]).toEqual(['bookinfo/~']);
    expect(shards.get('bookinfo/~')).toMatchObject({ exported: false, ports: [], endpoints: [{ targetPorts: { http: 8080 }, weight: 3 }] });
    expect(targets.map(({ port }) => port)).toEqual([8080]);
  });
});

describe('the health check of an annotation', () => {
  it.each([
    ['tcp', { kind: 'tcp' }],
    ['tcp:81', { kind: 'tcp', port: 81 }],
    ['http:/a', { kind: 'http', path: '/a' }],
    ['http:81/a', { kind: 'http', path: '/a', port: 81 }],
    ['none', { kind: 'none' }],
    ['http', undefined],
    ['tcp:/a', undefined],
    ['tcp:', undefined],
    ['exec:rm', undefined],
  ])('%s', (text, expected) => {
    expect(healthCheckOf({ 'hawser.dev/health-check': text })).toEqual(expected);
  });
});
