/**
 * The source of an agent on a real API server, behind a proxy that faults, with the role that is delivered: endpoints of it that come and go,
 * and whoever was removed without leave.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubeconfigAccess } from '@hawser/agent/discover/kubernetes/api-access.ts';
import { ApiClient } from '@hawser/agent/discover/kubernetes/api-client.ts';
import { kubernetesRegistry } from '@hawser/agent/discover/kubernetes/kubernetes-registry.ts';
import { REFLECTOR_TIMES, type ReflectorTimes } from '@hawser/agent/discover/kubernetes/reflector.ts';
import { LocalSource } from '@hawser/agent/discover/local-source.ts';
import type { Shards } from '@hawser/agent/state/endpoint-brake.ts';
import type { Random } from '../simulation/random.ts';
import { type ApiFaultProxy, startApiFaultProxy } from './api-fault-proxy.ts';
import type { TestKubeApiserver } from './kube-apiserver.ts';
import { agentKubeconfig } from './kube-definitions.ts';
import { LivingEndpoints } from './living-endpoints.ts';
import { eventually } from './served.ts';

/** An agent's own times, shortened so that a fault is met and over within seconds. A proxy that answers older lists restores nothing, however slow all this is. */
const TIMES: ReflectorTimes = {
  ...REFLECTOR_TIMES,
  ...{ listMs: 2_000, openMs: 2_000, silenceMs: 8_000, absentMs: 500, restoredMs: 600_000 },
  backoff: { baseMs: 50, maxMs: 500 },
};
const CONVERGED_MS = 60_000;
const AGENT = { namespace: 'hawser-system', name: 'hawser-agent' };
const BINDING = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: 'hawser-agent' } };

/** A source under observation. */
export class FaultedSource {
  readonly kube: TestKubeApiserver;
  readonly proxy: ApiFaultProxy;
  readonly endpoints: LivingEndpoints;
  /** Each endpoint that was removed, called unhealthy or not offered any more, though it was none of that. */
  readonly falselyRemoved: string[] = [];
  readonly #folder: string;
  readonly #api: ApiClient;
  readonly #local: LocalSource;
  readonly #warnings = new Map<string, readonly string[]>();
  readonly #times = { ...TIMES };
  #seen: Shards = new Map();

  private constructor({
    kube,
    proxy,
    endpoints,
    folder,
  }: { kube: TestKubeApiserver; proxy: ApiFaultProxy; endpoints: LivingEndpoints; folder: string }) {
    this.kube = kube;
    this.proxy = proxy;
    this.endpoints = endpoints;
    this.#folder = folder;
    this.#api = new ApiClient(kubeconfigAccess(join(folder, 'kubeconfig'), undefined));
    this.#local = new LocalSource({
      ...{ cluster: 'east', openRegistry: kubernetesRegistry({ api: this.#api, secretNamespaces: [], times: this.#times }), checkMs: 0 },
      onShards: (shards) => this.#observe(shards),
      onWarnings: (topic, messages) => this.#warnings.set(topic, messages),
    });
  }

  /** Fills a namespace with services of some endpoints each, and follows them all. */
  static async start(kube: TestKubeApiserver, { services, random }: { services: number; random: Random }): Promise<FaultedSource> {
    await agentKubeconfig(kube);
    const endpoints = await LivingEndpoints.made(kube.admin, { services, random });
    const [folder, proxy] = await Promise.all([mkdtemp(join(tmpdir(), 'hawser-faulted-')), startApiFaultProxy(kube)]);
    const cluster = { server: proxy.url, 'certificate-authority-data': Buffer.from(proxy.ca).toString('base64') };
    const kubeconfig = {
      'current-context': 'test',
      ...{ clusters: [{ name: 'test', cluster }], users: [{ name: 'test', user: { tokenFile: 'token' } }] },
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    };
    await writeFile(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig));
    await writeFile(join(folder, 'token'), await kube.serviceAccountToken(AGENT));
    const source = new FaultedSource({ kube, proxy, endpoints, folder });
    await source.#local.start();
    await source.converged();
    return source;
  }

  /** What it says now, of any topic. */
  get warnings(): readonly string[] {
    return [...this.#warnings.values()].flat();
  }

  /** Resolves when it has what there is, nothing more and nothing less, and nothing to complain of. */
  async converged(): Promise<void> {
    const differs = (): string[] => {
      const found = new Set(
        [...this.#seen.values()].filter(this.endpoints.isOwn).flatMap((shard) => shard.endpoints.map(({ address }) => address)),
      );
      const { present } = this.endpoints;
      const [missing, left] = [[...present].filter((one) => !found.has(one)), [...found].filter((one) => !present.has(one))];
      return [...missing.map((one) => `without ${one}`), ...left.map((one) => `still ${one}`), ...this.warnings];
    };
    await eventually(
      () => differs().length === 0,
      () => `not converged: ${differs().slice(0, 10).join('; ')}`,
      CONVERGED_MS,
    );
  }

  /** Takes the agent's role away on the API server itself; watches that are open go on there, so they are cut. */
  async withdrawRights(): Promise<() => Promise<void>> {
    const binding = await this.kube.admin.read(BINDING);
    await this.kube.admin.remove(BINDING);
    this.proxy.cutWatches();
    return async () => void (await this.kube.admin.apply({ ...BINDING, roleRef: binding?.['roleRef'], subjects: binding?.['subjects'] }));
  }

  /** Deletes the agent's service account, with which its tokens end; what comes back makes it anew, and writes its new token. */
  async revokeToken(): Promise<() => Promise<void>> {
    await this.kube.admin.remove({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: AGENT });
    this.proxy.cutWatches();
    return async () => writeFile(join(this.#folder, 'token'), await this.kube.serviceAccountToken(AGENT));
  }

  /** From now on a store that answers older lists for so long counts as restored. */
  believeRestoredAfter(ms: number): void {
    this.#times.restoredMs = ms;
  }

  async stop(): Promise<void> {
    await this.#local.stop();
    this.#api.close();
    await this.proxy.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #observe(shards: Shards): void {
    for (const [key, before] of this.#seen) {
      const after = shards.get(key);
      if (after === before || !this.endpoints.isOwn(before)) continue;
      if (before.exported && after?.exported !== true) this.falselyRemoved.push(`${key} is not exported any more`);
      const health = new Map(after?.endpoints.map((endpoint) => [endpoint.address, endpoint.health]));
      for (const { address } of before.endpoints)
        if (health.get(address) !== 'HEALTHY' && !this.endpoints.mayGo(address)) this.falselyRemoved.push(`${address} of ${key}`);
    }
    this.#seen = shards;
  }
}
