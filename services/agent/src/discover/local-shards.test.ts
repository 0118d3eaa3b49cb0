import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HealthOf } from './health-check.ts';
import { localServices, ServiceMemory } from './local-shards.ts';
import { parseRegistryFile } from './registry-file.ts';
import type { RegistryObject } from './registry-kinds.ts';

const REGISTRY = `
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: bookinfo}
spec:
  selector: {app: reviews}
  ports:
    - {name: http-web, port: 80, targetPort: 9080}
    - {name: admin, port: 81, targetPort: manage, appProtocol: tcp}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-v2, namespace: bookinfo}
spec: {address: 127.77.1.14, labels: {app: reviews, version: v2}, serviceAccount: reviews, ports: {manage: 9081}, locality: us-east/a/x}
---
apiVersion: networking.istio.io/v1beta1
kind: WorkloadEntry
metadata: {name: reviews-v1, namespace: bookinfo, annotations: {hawser.dev/health-check: 'http:/healthz'}}
spec: {address: 127.77.1.13, labels: {app: reviews, version: v1}, ports: {http-web: 9999, manage: 9081}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: other, namespace: bookinfo}
spec: {address: 127.77.1.15, labels: {app: details}}
---
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: {name: reviews, namespace: bookinfo}
---
apiVersion: v1
kind: Service
metadata: {name: details}
spec: {ports: [{port: 80, targetPort: 9080, name: grpc-api}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: details-1, labels: {kubernetes.io/service-name: details, version: v9}}
addressType: IPv4
ports: [{name: grpc-api, port: 7000}]
endpoints:
  - {addresses: [10.0.0.3], conditions: {ready: true}, zone: b}
  - {addresses: [10.0.0.2], conditions: {ready: false}}
  - {addresses: [10.0.0.1], conditions: {ready: false, terminating: true}}
---
apiVersion: v1
kind: Service
metadata: {name: elsewhere}
spec: {type: ExternalName, externalName: example.com}
`;

function objectsOf(text: string): readonly RegistryObject[] {
  const parsed = parseRegistryFile(text);
  if ('issues' in parsed) throw new Error(JSON.stringify(parsed.issues));
  return parsed.objects;
}
const objects = objectsOf(REGISTRY);
const unknown: HealthOf = () => undefined;

describe('localServices', () => {
  it('joins services, slices, entries and exports', () => {
    expect(localServices('us-east', objects, { healthOf: unknown }).shards).toMatchInlineSnapshot(`
      Map {
        "bookinfo/reviews" => {
          "cluster": "us-east",
          "endpoints": [
            {
              "address": "127.77.1.13",
              "health": "HEALTHY",
              "labels": {
                "app": "reviews",
                "version": "v1",
              },
              "serviceAccount": "default",
              "targetPorts": {
                "80": 9999,
                "81": 9081,
              },
            },
            {
              "address": "127.77.1.14",
              "health": "HEALTHY",
              "labels": {
                "app": "reviews",
                "version": "v2",
              },
              "serviceAccount": "reviews",
              "targetPorts": {
                "80": 9080,
                "81": 9081,
              },
              "zone": "a",
            },
          ],
          "export": {
            "ports": [
              {
                "name": "http-web",
                "port": 80,
                "protocol": "TCP",
              },
              {
                "appProtocol": "tcp",
                "name": "admin",
                "port": 81,
                "protocol": "TCP",
              },
            ],
            "type": "ClusterSetIP",
          },
          "exported": true,
          "namespace": "bookinfo",
          "ports": [
            {
              "name": "http-web",
              "port": 80,
              "protocol": "http",
            },
            {
              "name": "admin",
              "port": 81,
              "protocol": "tcp",
            },
          ],
          "service": "reviews",
        },
        "default/details" => {
          "cluster": "us-east",
          "endpoints": [
            {
              "address": "10.0.0.1",
              "health": "DRAINING",
              "labels": {
                "version": "v9",
              },
              "serviceAccount": "default",
              "targetPorts": {
                "80": 7000,
              },
            },
            {
              "address": "10.0.0.2",
              "health": "UNHEALTHY",
              "labels": {
                "version": "v9",
              },
              "serviceAccount": "default",
              "targetPorts": {
                "80": 7000,
              },
            },
            {
              "address": "10.0.0.3",
              "health": "HEALTHY",
              "labels": {
                "version": "v9",
              },
              "serviceAccount": "default",
              "targetPorts": {
                "80": 7000,
              },
              "zone": "b",
            },
          ],
          "exported": false,
          "namespace": "default",
          "ports": [
            {
              "name": "grpc-api",
              "port": 80,
              "protocol": "http2",
            },
          ],
          "service": "details",
        },
        "bookinfo/~" => {
          "cluster": "us-east",
          "endpoints": [
            {
              "address": "127.77.1.15",
              "health": "HEALTHY",
              "labels": {
                "app": "details",
              },
              "serviceAccount": "default",
              "targetPorts": {},
            },
          ],
          "exported": false,
          "namespace": "bookinfo",
          "ports": [],
          "service": "~",
        },
      }
    `);
  });

  it('says what has to be checked, and what is wrong', () => {
    const { targets, warnings } = localServices('us-east', objects, { healthOf: unknown });
    expect(targets.map((target) => `${target.address}:${target.port} ${target.check.kind}`).sort()).toMatchInlineSnapshot(`
      [
        "10.0.0.1:7000 tcp",
        "10.0.0.2:7000 tcp",
        "10.0.0.3:7000 tcp",
        "127.77.1.13:9081 tcp",
        "127.77.1.13:9999 http",
        "127.77.1.14:9080 tcp",
        "127.77.1.14:9081 tcp",
      ]
    `);
    expect(warnings).toMatchInlineSnapshot(`
      [
        "Service default/elsewhere: spec.type ExternalName cannot be served or exported; the service is ignored",
      ]
    `);
  });

  it('tells workloads without a sidecar: by their own word, and in gateway mode unless they say otherwise', () => {
    const found = (text: string, gatewayMode: boolean) => {
      const { shards, targets } = localServices('us-east', objectsOf(text), { healthOf: unknown, gatewayMode });
      const of = (key: string) => shards.get(key)?.endpoints.map(({ address, bare }) => [address, bare]);
      return {
        entries: of('bookinfo/reviews'),
        slices: of('default/details'),
        checked: targets.filter(({ bare }) => bare === true).length,
      };
    };
    const labels = (mode: string) => REGISTRY.replace('version: v2}', `version: v2, security.istio.io/tlsMode: ${mode}}`);
    expect(found(labels('disabled'), false).entries).toEqual([
      ['127.77.1.13', undefined],
      ['127.77.1.14', true],
    ]);
    const inMode = found(labels('istio'), true);
    expect(inMode.entries).toEqual([
      ['127.77.1.13', true],
      ['127.77.1.14', undefined],
    ]);
    expect(inMode.slices?.map(([, bare]) => bare)).toEqual([true, true, true]);
    expect(inMode.checked).toBe(5);
  });

  it('knows each endpoint by the one text of its address, as proxies do', () => {
    const text = REGISTRY.replace('addressType: IPv4', 'addressType: IPv6')
      .replace('10.0.0.3', 'FD00:0:0::3')
      .replace('10.0.0.2', 'fd00::3')
      .replace('127.77.1.14', 'fd00:0::14');
    const { shards, targets } = localServices('us-east', objectsOf(text), {
      healthOf: (address) => (address === 'fd00::14' ? 'UNHEALTHY' : undefined),
    });
    const of = (key: string) => shards.get(key)?.endpoints.map(({ address, health }) => `${address} ${health}`);
    expect(of('default/details')).toEqual(['10.0.0.1 DRAINING', 'fd00::3 UNHEALTHY']);
    expect(of('bookinfo/reviews')).toEqual(['127.77.1.13 HEALTHY', 'fd00::14 UNHEALTHY']);
    expect(targets.map(({ address }) => address)).toContain('fd00::14');
  });

  it('lets the source speak before the checks, and checks before the default', () => {
    const down = localServices('us-east', objects, { healthOf: () => 'UNHEALTHY' }).shards;
    expect(down.get('default/details')?.endpoints.map((endpoint) => endpoint.health)).toEqual(['DRAINING', 'UNHEALTHY', 'UNHEALTHY']);
    expect(down.get('bookinfo/reviews')?.endpoints.map((endpoint) => endpoint.health)).toEqual(['UNHEALTHY', 'UNHEALTHY']);
  });

  it('names a port that nobody has, a service nobody has and an annotation nobody knows', () => {
    const text = REGISTRY.replace('manage: 9081}, locality', 'x: 1}, locality')
      .replace("'http:/healthz'", 'grpc')
      .replace('metadata: {name: reviews, namespace: bookinfo}\n---', 'metadata: {name: revews, namespace: bookinfo}\n---');
    expect(localServices('us-east', objectsOf(text), { healthOf: unknown }).warnings).toMatchInlineSnapshot(`
      [
        "WorkloadEntry bookinfo/reviews-v1: metadata.annotations[hawser.dev/health-check]: "grpc" is not tcp, http:/PATH or none; tcp is used",
        "WorkloadEntry bookinfo/reviews-v2: no port named manage, which Service bookinfo/reviews wants for port 81",
        "Service default/elsewhere: spec.type ExternalName cannot be served or exported; the service is ignored",
        "ServiceExport bookinfo/revews: there is no Service of this name to export",
      ]
    `);
  });

  it('gives the same shards for the same objects in any order', () => {
    const expected = JSON.stringify([...localServices('a', objects, { healthOf: unknown }).shards]);
    fc.assert(
      fc.property(fc.shuffledSubarray([...objects], { minLength: objects.length }), (shuffled) => {
        expect(JSON.stringify([...localServices('a', shuffled, { healthOf: unknown }).shards])).toBe(expected);
      }),
    );
  });

  it('builds with a memory what it builds without, and again only what differs', () => {
    const variants = [objects, objectsOf(REGISTRY.replaceAll('127.77.1.14', '127.77.1.99'))].map(
      (all) => new Map(all.map((one, at) => [at, one])),
    );
    const step = fc.record({
      picks: fc.array(fc.constantFrom(0, 1, 2), { minLength: objects.length, maxLength: objects.length }),
      down: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
        const memory = new ServiceMemory();
        for (const { picks, down } of steps) {
          // 2 leaves an object out.
          const registry = picks.flatMap((pick, at) => variants[pick]?.get(at) ?? []);
          const healthOf: HealthOf = () => (down ? 'UNHEALTHY' : undefined);
          expect(localServices('a', registry, { healthOf, memory })).toEqual(localServices('a', registry, { healthOf }));
        }
      }),
    );
    const memory = new ServiceMemory();
    const first = localServices('a', objects, { healthOf: unknown, memory });
    const again = localServices('a', [...objects], { healthOf: unknown, memory });
    expect(again.targets).toBe(first.targets);
    for (const [key, shard] of first.shards) expect(again.shards.get(key)).toBe(shard);
  });
});
