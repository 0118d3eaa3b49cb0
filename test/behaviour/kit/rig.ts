/**
 * A mesh whose policies are replaced while it runs: real Envoys, the agents' real ADS server and translator, applications that echo.
 * Addresses are `127.81.NET.HOST`, of IPv6 `fd81:NET::HOST` (`openIpv6`): every test file has a `net` of its own, and each further
 * cluster takes the next one.
 */
import { Agent } from 'node:http';
import { hostPort } from '@hawser/agent/translate/wire-values.ts';
import type { EndpointHealth } from '@hawser/model/endpoint-shard.ts';
import { kindNamed } from '@hawser/model/kinds.ts';
import { PORTS } from '@hawser/model/ports.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { clustersetHost, parseServiceKey } from '@hawser/model/service-host.ts';
import { validateInForce } from '@hawser/model/validate.ts';
import { Mesh } from '../../datapath/kit/mesh.ts';
import { createTrustDomain } from '../../datapath/kit/pki.ts';
import { until } from '../../datapath/kit/until.ts';
import type { DnsServer } from '../../kit/dns-server.ts';
import type { TestEnvoy } from '../../kit/envoy.ts';
import { type CallOptions, callHttp, type Reply } from './clients.ts';
import { type EchoApp, startEchoApp } from './echo-app.ts';
import { BOOKINFO, type Layout, portsOf, type Workload } from './layout.ts';

/** What a rig is started with; the rest is `BOOKINFO`. */
export type RigOptions = {
  readonly net: number;
  readonly dns?: DnsServer;
  readonly sendsAllUpTo?: number;
  readonly drainsAtOnce?: boolean;
  /** Of workloads and gateways. A client's sidecar listens for its program on loopback, where IPv6 has one address for all. */
  readonly isIpv6?: boolean;
} & Partial<Layout>;

/** Where something stands. */
type Place = { readonly cluster: string; readonly at: number };

type AddressOf = (of: Place, isIpv6?: boolean) => string;

/** Answers of many calls. */
export interface Tally {
  /** By application; '' when an Envoy answered itself. */
  readonly by: Readonly<Record<string, number>>;
  readonly byStatus: Readonly<Record<number, number>>;
}

/** A call by one of the clients. */
export type RigCall = CallOptions & { readonly from?: string };

/** The address of host `at` of a net. */
export function rigAddress(net: number, at: number, isIpv6 = false): string {
  return isIpv6 ? `fd81:${net}::${at}` : `127.81.${net}.${at}`;
}

/** Starts everything and waits until the services answer. */
export async function startRig(options: RigOptions): Promise<Rig> {
  const layout = { ...BOOKINFO, ...options };
  const addressOf = ({ cluster, at }: Place, isIpv6 = options.isIpv6): string =>
    rigAddress(options.net + layout.clusters.indexOf(cluster), at, isIpv6);
  const mesh = await Mesh.start(
    layout.clusters.map((name) => ({
      name,
      aliases: layout.aliases?.[name] ?? [],
      gateways: layout.gateways.map((at) => hostPort(addressOf({ cluster: name, at }), PORTS.gateway)),
    })),
    undefined,
    { ...(options.dns === undefined ? {} : { dns: options.dns }), sendsAllUpTo: options.sendsAllUpTo, drainsAtOnce: options.drainsAtOnce },
  );
  const rig = new Rig(mesh, layout, addressOf);
  await rig.start();
  return rig;
}

/** A running rig. `mesh` is there for what it has no word for. */
export class Rig {
  readonly mesh: Mesh;
  readonly #layout: Layout;
  readonly #addressOf: AddressOf;
  readonly #apps = new Map<string, EchoApp>();
  readonly #clients = new Map<string, TestEnvoy>();
  readonly #health = new Map<string, EndpointHealth>();
  #policies: readonly Resource[] = [];
  #probes = 0;

  constructor(mesh: Mesh, layout: Layout, addressOf: AddressOf) {
    this.mesh = mesh;
    this.#layout = layout;
    this.#addressOf = addressOf;
  }

  /** Starts applications, servers' sidecars, gateways, and then the clients, which find everything healthy. */
  async start(): Promise<void> {
    const { workloads, clients, clusters, gateways } = this.#layout;
    const identity = await (await createTrustDomain('echo')).issue('spiffe://echo/app');
    for (const workload of workloads) {
      this.#apps.set(workload.name, await startEchoApp(workload.name, this.#addressOf(workload), identity));
    }
    for (const client of clients) {
      this.mesh.service(`${client.namespace}/${client.name}`, client.cluster, {
        endpoints: [{ address: this.clientAddress(client.name), labels: client.labels ?? {} }],
      });
      this.mesh.service(`${client.namespace}/probe`, client.cluster, { endpoints: [] });
    }
    this.#tellServices();
    const places = clusters.length > 1 ? clusters.flatMap((cluster) => gateways.map((at) => ({ cluster, at }))) : [];
    const withSidecar = workloads.filter(({ bare }) => bare !== true);
    await Promise.all([
      ...withSidecar.map((one) => this.mesh.sidecar(one.cluster, this.#addressOf(one), one.service)),
      ...places.map((place) => this.mesh.gateway(place.cluster, this.#addressOf(place))),
    ]);
    for (const client of clients) {
      const envoy = await this.mesh.sidecar(client.cluster, this.clientAddress(client.name), `${client.namespace}/${client.name}`);
      this.#clients.set(client.name, envoy);
    }
    await this.settled();
    await until(
      async () => (await Promise.all([...this.#clients.values()].map(allHealthy))).every(Boolean),
      () => `endpoints stay unhealthy: ${this.mesh.nacks.join()}`,
    );
  }

  /**
   * Makes these the only policies, the first the oldest, and returns when every Envoy has acknowledged and the clients' workers route
   * by them. Throws when the hub would refuse one, or an Envoy refuses its configuration.
   */
  async policies(policies: readonly Resource[]): Promise<void> {
    const dated = policies.map((policy, index) => ({ ...policy, metadata: { creationTimestamp: timestamp(index), ...policy.metadata } }));
    for (const policy of policies) assertValid(policy);
    this.#policies = dated;
    await this.settled();
  }

  /** Gives workloads this health, all others HEALTHY. */
  async health(health: Readonly<Record<string, EndpointHealth>>): Promise<void> {
    this.#health.clear();
    for (const [name, state] of Object.entries(health)) this.#health.set(name, state);
    this.#tellServices();
    await this.settled();
  }

  /**
   * Waits until every Envoy has everything. A client's worker is known to have it when it answers with the newest probe, a route of a
   * service `probe` in its own namespace, which is part of the same route configuration.
   */
  async settled(): Promise<void> {
    this.#probes += 1;
    const marker = `probe-${this.#probes}`;
    const { clients, clusters } = this.#layout;
    const namespaces = [...new Set(clients.map(({ namespace }) => namespace))];
    this.mesh.replacePolicies([...this.#policies, ...namespaces.map((namespace) => probe(namespace, marker))]);
    await until(
      () => this.mesh.nacks.length > 0 || clusters.every((name) => this.mesh.synced(name)),
      () => 'an Envoy does not acknowledge',
    );
    if (this.mesh.nacks.length > 0) throw new Error(`refused by Envoy: ${this.mesh.nacks.join('; ')}`);
    for (const client of clients) {
      const host = clustersetHost({ namespace: client.namespace, service: 'probe' });
      await until(
        async () => (await this.call({ from: client.name, host })).body.includes(`${marker}.`),
        () => `${client.name} does not route by the newest policies`,
      );
      // A changed upstream takes the place of the one before only when its endpoints were checked.
      await until(
        async () => !(await this.client(client.name).admin('/config_dump?resource=dynamic_warming_clusters')).includes('"cluster"'),
        () => `upstreams of ${client.name} stay warming`,
      );
    }
  }

  /** One request through the sidecar of a client, the first one unless named. */
  call({ from, ...options }: RigCall = {}): Promise<Reply> {
    return callHttp({ address: this.clientAddress(from), port: 15001 }, options);
  }

  /** `count` requests, ten at a time. */
  async tally(count: number, options: RigCall = {}): Promise<Tally> {
    const [by, byStatus]: [Record<string, number>, Record<number, number>] = [{}, {}];
    const agent = new Agent({ keepAlive: true, maxSockets: 10 });
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < count) {
        next += 1;
        const { servedBy, status } = await this.call({ agent, ...options });
        by[servedBy] = (by[servedBy] ?? 0) + 1;
        byStatus[status] = (byStatus[status] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: 10 }, worker));
    agent.destroy();
    return { by, byStatus };
  }

  /** The application of a workload. */
  app(name: string): EchoApp {
    const found = this.#apps.get(name);
    if (found === undefined) throw new Error(`no application ${name}`);
    return found;
  }

  /** The Envoy of a client. */
  client(name?: string): TestEnvoy {
    const found = this.#clients.get(name ?? this.#layout.clients[0]?.name ?? '');
    if (found === undefined) throw new Error(`no client ${name}`);
    return found;
  }

  /** Where a client's sidecar listens: 15001 for HTTP. */
  clientAddress(name?: string): string {
    const { clients } = this.#layout;
    const found = clients.find((client) => client.name === (name ?? clients[0]?.name));
    if (found === undefined) throw new Error(`no client ${name}`);
    return this.#addressOf(found, false);
  }

  /** The address of an HTTP or TCP listener of a client's sidecar by its name; undefined while there is none. */
  async listener(name: string, client?: string): Promise<{ address: string; port: number } | undefined> {
    const { listener_statuses: listeners = [] } = JSON.parse(await this.client(client).admin('/listeners?format=json')) as {
      listener_statuses?: { name: string; local_address: { socket_address?: { address: string; port_value: number } } }[];
    };
    const found = listeners.find((one) => one.name === name)?.local_address.socket_address;
    return found === undefined ? undefined : { address: found.address, port: found.port_value };
  }

  async stop(): Promise<void> {
    await this.mesh.stop();
    await Promise.all([...this.#apps.values()].map((app) => app.stop()));
  }

  #tellServices(): void {
    const services = Map.groupBy(this.#layout.workloads, (workload) => `${workload.service} ${workload.cluster}`);
    for (const members of services.values()) this.#tellService(members);
  }

  #tellService(members: readonly Workload[]): void {
    const [first] = members;
    if (first === undefined) return;
    const { ports, targetPorts } = portsOf(this.#layout, first.service);
    const endpoints = members.map((member) => ({
      ...{ address: this.#addressOf(member), targetPorts, labels: member.labels },
      serviceAccount: parseServiceKey(member.service).service,
      health: this.#health.get(member.name) ?? ('HEALTHY' as const),
      ...(member.bare === true ? { bare: true as const } : {}),
    }));
    this.mesh.service(first.service, first.cluster, { ports, endpoints });
  }
}

/** A policy of `bookinfo`, named after its kind and first host unless told otherwise. */
export function policy(kind: string, spec: unknown, metadata: Partial<Resource['metadata']> = {}): Resource {
  const descriptor = kindNamed(kind);
  const apiVersion = `${descriptor?.group}/${descriptor?.versions[0]}`;
  return { apiVersion, kind, metadata: { namespace: 'bookinfo', name: kind.toLowerCase(), ...metadata }, spec };
}

/** The hub's own judgement: a behaviour shows nothing of a policy that could not be written. */
function assertValid(resource: Resource): void {
  const kind = kindNamed(resource.kind);
  if (kind === undefined) throw new Error(`no kind ${resource.kind}`);
  const result = validateInForce(resource, kind);
  if ('issues' in result)
    throw new Error(`the hub refuses it: ${result.issues.map(({ path, message }) => `${path} ${message}`).join('; ')}`);
}

/** A rule that leads nowhere: the sidecar's own answer says where, and so which policies its worker has. */
function probe(namespace: string, marker: string): Resource {
  const http = [{ route: [{ destination: { host: `${marker}.nowhere` } }] }];
  return policy('VirtualService', { hosts: ['probe'], http }, { namespace, name: 'rig-probe', creationTimestamp: timestamp(0) });
}

function timestamp(index: number): string {
  return new Date(Date.UTC(2026, 0, 1, 0, 0, index)).toISOString();
}

async function allHealthy(envoy: TestEnvoy): Promise<boolean> {
  return !/failed_active_hc|pending_active_hc/.test(await envoy.admin('/clusters'));
}
