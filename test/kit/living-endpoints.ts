/** Endpoints on a real API server that come and go for good reasons: what is there, and what may be gone, is known at every moment. */

import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import type { Random } from '../simulation/random.ts';
import type { KubeClient } from './kube-client.ts';

const NAMESPACE = 'living';
const PER_SERVICE = 10;
const AT_ONCE = 16;
const TRIES = 5;

/** Services `living/s-N`, each exported, with two EndpointSlices of Pods. */
export class LivingEndpoints {
  readonly #admin: KubeClient;
  readonly #random: Random;
  /** Addresses of each service, and the Pods behind them. */
  #services: Map<string, Map<string, string>> = new Map();
  /** Whoever was there once, and was taken away. */
  #gone = new Set<string>();
  #made = 0;

  private constructor(admin: KubeClient, random: Random) {
    this.#admin = admin;
    this.#random = random;
  }

  static async made(admin: KubeClient, { services, random }: { services: number; random: Random }): Promise<LivingEndpoints> {
    const endpoints = new LivingEndpoints(admin, random);
    await admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    const names = Array.from({ length: services }, (_, index) => `s-${index}`);
    await each(names, (name) => endpoints.#service(name));
    return endpoints;
  }

  readonly isOwn = ({ namespace }: EndpointShard): boolean => namespace === NAMESPACE;

  /** All addresses that are there. */
  get present(): ReadonlySet<string> {
    return new Set([...this.#services.values()].flatMap((addresses) => [...addresses.keys()]));
  }

  /** Whether an address was taken away. */
  mayGo(address: string): boolean {
    return this.#gone.has(address);
  }

  /** One endpoint comes and another goes, in a service by chance; of some that go the Pod is deleted first, of others the slice is changed first. */
  async change(): Promise<void> {
    const [name, addresses] = this.#random.pick([...this.#services]);
    const [address, pod] = this.#random.pick([...addresses]);
    const first = this.#random.chance(0.5);
    this.#gone.add(address);
    addresses.delete(address);
    const [added, by] = this.#fresh(name);
    await this.#put(podObject(by));
    addresses.set(added, by);
    if (first) await this.#remove(podObject(pod));
    await this.#slices(name, addresses);
    if (!first) await this.#remove(podObject(pod));
  }

  /** What is there now; what comes back says that it is as it was: the store was restored. */
  remembered(): () => void {
    const services = new Map([...this.#services].map(([name, addresses]) => [name, new Map(addresses)]));
    const gone = new Set(this.#gone);
    return () => {
      const before = this.present;
      this.#services = services;
      const now = this.present;
      this.#gone = new Set([...gone, ...[...before].filter((address) => !now.has(address))]);
    };
  }

  async #service(name: string): Promise<void> {
    const metadata = { namespace: NAMESPACE, name };
    const spec = { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }] };
    const addresses = new Map(Array.from({ length: PER_SERVICE }, () => this.#fresh(name)));
    for (const pod of addresses.values()) await this.#put(podObject(pod));
    await this.#put({ apiVersion: 'v1', kind: 'Service', metadata, spec });
    await this.#put({ apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata });
    await this.#slices(name, addresses);
    this.#services.set(name, addresses);
  }

  /** An address that was never there, and its Pod. */
  #fresh(service: string): [string, string] {
    this.#made += 1;
    return [`10.200.${this.#made >> 8}.${this.#made & 255}`, `${service}-${this.#made}`];
  }

  async #slices(service: string, addresses: ReadonlyMap<string, string>): Promise<void> {
    const all = [...addresses];
    for (const half of [0, 1])
      await this.#put({
        ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
        metadata: { namespace: NAMESPACE, name: `${service}-${half}`, labels: { 'kubernetes.io/service-name': service } },
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
        endpoints: all
          .filter(([, pod]) => Number(pod.split('-')[2]) % 2 === half)
          .map(([address, name]) => ({
            ...{ addresses: [address], conditions: { ready: true } },
            targetRef: { kind: 'Pod', namespace: NAMESPACE, name },
          })),
      });
  }

  #put(object: KubeObject): Promise<unknown> {
    return persistently(() => this.#admin.apply(object));
  }

  #remove(object: KubeObject): Promise<unknown> {
    return persistently(async () => this.#admin.ask('DELETE', `${await this.#admin.pathOf(object)}?gracePeriodSeconds=0`));
  }
}

function podObject(name: string): KubeObject {
  const app = name.split('-').slice(0, 2).join('-');
  const spec = { serviceAccountName: app, containers: [{ name: 'app', image: 'example.com/app:1' }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: NAMESPACE, name, labels: { app } }, spec };
}

/** A server that was just restarted has ended connections that were kept. */
async function persistently(work: () => Promise<unknown>): Promise<unknown> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === TRIES) throw error;
    }
  }
}

async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of waiting) await work(item);
    }),
  );
}
