import fc from 'fast-check';
import { expect, it } from 'vitest';
import { localServices, ServiceMemory } from './local-shards.ts';
import type { EndpointSliceObject, RegistryObject, ServiceExportObject, ServiceObject, WorkloadEntryObject } from './registry-kinds.ts';
import type { ObjectChange } from './service-index.ts';

const NAMES = ['a', 'b', 'c'];

const service = (name: string, external: boolean): ServiceObject => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name } },
  spec: external ? { type: 'ExternalName' } : { selector: { app: name }, ports: [{ port: 80 }] },
});
const slice = (name: string, part: number, n: number): EndpointSliceObject => ({
  ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
  metadata: { name: `${name}-${part}`, labels: { 'kubernetes.io/service-name': name } },
  ...{ addressType: 'IPv4', endpoints: [{ addresses: [`10.0.${part}.${n}`] }], ports: [{ port: 8080 }] },
});
const offer = (name: string): ServiceExportObject => ({
  apiVersion: 'multicluster.x-k8s.io/v1beta1',
  kind: 'ServiceExport',
  metadata: { name },
});
const entry = (name: string, n: number): WorkloadEntryObject => ({
  ...{ apiVersion: 'networking.istio.io/v1', kind: 'WorkloadEntry', metadata: { name } },
  spec: { address: `10.9.0.${n}`, labels: { app: name }, ports: { http: 80 } },
});

const name = fc.constantFrom(...NAMES);
const object: fc.Arbitrary<RegistryObject> = fc.oneof(
  fc.tuple(name, fc.boolean()).map(([one, external]) => service(one, external)),
  fc.tuple(name, fc.nat(1), fc.nat(2)).map(([one, part, n]) => slice(one, part, n)),
  name.map(offer),
  fc.tuple(name, fc.nat(2)).map(([one, n]) => entry(one, n)),
);

it('what is told as changes comes to what a whole look comes to', () => {
  const step = fc.array(fc.tuple(object, fc.boolean()), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const held = new Map<string, RegistryObject>();
      const memory = new ServiceMemory();
      localServices('east', [], { healthOf: () => undefined, memory });
      for (const puts of steps) {
        const before = new Map(held);
        for (const [one, there] of puts) {
          const key = `${one.kind}/${one.metadata.name}`;
          if (there) held.set(key, one);
          else held.delete(key);
        }
        const keys = new Set([...before.keys(), ...held.keys()]);
        const changes: ObjectChange[] = [...keys]
          .map((key) => ({ before: before.get(key), after: held.get(key) }))
          .filter((change) => change.before !== change.after);
        const objects = [...held.values()];
        const told = localServices('east', objects, { healthOf: () => undefined, memory, changes });
        expect(told).toEqual(localServices('east', objects, { healthOf: () => undefined }));
        expect([...told.shards.keys()]).toEqual([...told.shards.keys()].sort());
      }
    }),
  );
});
