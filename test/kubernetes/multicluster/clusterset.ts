/** A clusterset of two real API servers and a directory of files, with real agents on a real NATS: what the rules of the MCS API are seen on. */

import type { RunningAgent } from '@hawser/agent/agent.ts';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { type StartOptions, serviceFile, startFederation, type TestFederation } from '../../kit/federation.ts';
import { startKubeApiserver, type TestKubeApiserver } from '../../kit/kube-apiserver.ts';
import { agentKubeconfig, applyDefinitions } from '../../kit/kube-definitions.ts';
import { eventually, ready } from '../../kit/served.ts';

/** One rule as it is seen. */
export interface Rule {
  /** Its number in KEP-1645 as this project lists them; 0 for what is promised beyond them. */
  readonly rule: number;
  readonly seen: string;
  readonly show: (set: Clusterset) => Promise<void>;
}

/** A condition of either kind. */
export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

/** A ServiceImport. */
export interface ImportObject extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly type: string;
    readonly ports: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[];
    readonly ips?: readonly string[];
    readonly ipFamilies?: readonly string[];
  };
  readonly status?: {
    readonly clusters?: readonly { readonly cluster: string }[];
    readonly conditions?: readonly Condition[];
    readonly endpointSliceObjects?: string;
  };
}

const MULTICLUSTER = 'multicluster.x-k8s.io/v1beta1';
/** What an agent of the clusterset may have on. */
export type Switches = Pick<StartOptions, 'gatewayMode' | 'importEndpointSlices'>;

/** A Service or an EndpointSlice. */
export interface BackingObject extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>> & { readonly clusterIP: string; readonly ports: readonly { readonly port: number }[] };
  readonly addressType?: string;
  readonly ports?: readonly { readonly name?: string; readonly port: number }[];
  readonly endpoints?: readonly { readonly addresses: readonly string[]; readonly conditions?: object }[];
}

/** Ports of a Service that says none. */
export const HTTP = [{ name: 'http', port: 80, protocol: 'TCP' }];

/** One member with an API server. */
export class KubeMember {
  readonly name: string;
  readonly kube: TestKubeApiserver;
  readonly kubeconfig: string;
  readonly #federation: TestFederation;
  agent!: RunningAgent;

  constructor(name: string, of: { readonly kube: TestKubeApiserver; readonly kubeconfig: string; readonly federation: TestFederation }) {
    this.name = name;
    this.kube = of.kube;
    this.kubeconfig = of.kubeconfig;
    this.#federation = of.federation;
  }

  async start(replica?: string, switches: Switches = {}): Promise<RunningAgent> {
    const agent = await this.#federation
      .cluster(this.name)
      .start({ kubeconfig: this.kubeconfig, ...switches, ...(replica === undefined ? {} : { replica }) });
    await ready(agent);
    if (replica === undefined) this.agent = agent;
    return agent;
  }

  /** Its agent anew, with these switches on. */
  async restart(switches: Switches = {}): Promise<void> {
    await this.agent.stop();
    await this.start(undefined, switches);
  }

  /** Its agent with these switches on, and the rights of this role of `deploy/kubernetes/agent-rbac.yaml`, while `during` runs; then the agent without them. */
  async with(switches: Switches, role: string, during: () => Promise<void>): Promise<void> {
    const binding = {
      ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: role } },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'ServiceAccount', name: 'hawser-agent', namespace: 'hawser-system' }],
    };
    await this.kube.admin.apply(binding);
    await this.restart(switches);
    try {
      await during();
    } finally {
      await this.restart();
      let left: readonly string[] = [];
      const isClean = async () => {
        left = await this.leftBehind();
        return left.length === 0;
      };
      await eventually(isClean, () => `${left.join(', ')} are there still; ${this.said()}`, DEADLINE_MS);
      await this.kube.admin.remove(binding);
    }
  }

  /** What the agent made behind imports: names of Services and EndpointSlices. */
  async leftBehind(namespace?: string): Promise<readonly string[]> {
    const found = [...(await this.list('Service', namespace)), ...(await this.list('EndpointSlice', namespace))];
    const isOurs = ({ metadata: { labels = {} } }: KubeObject): boolean =>
      labels['app.kubernetes.io/managed-by'] === 'hawser' || labels['endpointslice.kubernetes.io/managed-by'] === 'hawser.dev';
    return found.filter(isOurs).map(({ metadata }) => metadata.name);
  }

  /** Objects of a namespace, or of all. */
  async list(kind: 'Service' | 'EndpointSlice', namespace?: string): Promise<readonly BackingObject[]> {
    const [root, plural] = kind === 'Service' ? ['/api/v1', 'services'] : ['/apis/discovery.k8s.io/v1', 'endpointslices'];
    const path = namespace === undefined ? `${root}/${plural}` : `${root}/namespaces/${namespace}/${plural}`;
    const { body } = await this.kube.admin.ask('GET', path);
    return (body as { readonly items: readonly BackingObject[] }).items.map((one) => ({ ...one, kind }));
  }

  async namespace(name: string): Promise<void> {
    await this.kube.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }

  /** Writes a Service; one of ports `HTTP` unless it says more. */
  async service(key: string, spec: object = {}, metadata: object = {}): Promise<void> {
    await this.kube.admin.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...named(key), ...metadata },
      spec: { ports: HTTP, ...spec },
    });
  }

  /** Writes its EndpointSlice, of these addresses, with the ports' own numbers. */
  async endpoints(key: string, addresses: readonly string[], ports: readonly object[] = HTTP): Promise<void> {
    const { name, namespace } = named(key);
    await this.kube.admin.apply({
      ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', ports },
      metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
      endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    });
  }

  async exports(key: string, spec?: object, metadata: object = {}): Promise<void> {
    const body = { metadata: { ...named(key), ...metadata }, ...(spec === undefined ? {} : { spec }) };
    await this.kube.admin.apply({ apiVersion: MULTICLUSTER, kind: 'ServiceExport', ...body });
  }

  /** A Service and its export. */
  async offers(key: string, spec?: object): Promise<void> {
    await this.service(key, spec);
    await this.exports(key);
  }

  async withdraws(key: string): Promise<void> {
    await this.kube.admin.remove({ apiVersion: MULTICLUSTER, kind: 'ServiceExport', metadata: named(key) });
  }

  async removesService(key: string): Promise<void> {
    await this.kube.admin.remove({ apiVersion: 'v1', kind: 'Service', metadata: named(key) });
  }

  async import(key: string): Promise<ImportObject | undefined> {
    return (await this.kube.admin.read(importOf(key))) as ImportObject | undefined;
  }

  /** The import once it is as wanted. */
  async imported(key: string, isWanted: (found: ImportObject) => boolean = () => true): Promise<ImportObject> {
    let found: ImportObject | undefined;
    await eventually(
      async () => {
        found = await this.import(key);
        return found?.status?.conditions !== undefined && isWanted(found);
      },
      () => `the import of ${key} in ${this.name} is ${JSON.stringify(found)}; ${this.said()}`,
      DEADLINE_MS,
    );
    return found as ImportObject;
  }

  /** Resolves when there is no import. */
  async notImported(key: string): Promise<void> {
    const gone = async () => (await this.import(key)) === undefined;
    await eventually(gone, () => `${key} is still imported in ${this.name}; ${this.said()}`, DEADLINE_MS);
  }

  async exported(key: string): Promise<Readonly<Record<string, Condition>>> {
    const found = await this.kube.admin.read({ apiVersion: MULTICLUSTER, kind: 'ServiceExport', metadata: named(key) });
    const { conditions = [] } = (found?.['status'] ?? {}) as { readonly conditions?: readonly Condition[] };
    return Object.fromEntries(conditions.map((condition) => [condition.type, condition]));
  }

  /** The condition of an export once it has this reason. */
  async told(key: string, type: string, reason: string): Promise<Condition> {
    let found: Readonly<Record<string, Condition>> = {};
    await eventually(
      async () => {
        found = await this.exported(key);
        return found[type]?.reason === reason;
      },
      () => `the export of ${key} in ${this.name} is told ${JSON.stringify(found)}, not ${type} ${reason}; ${this.said()}`,
      DEADLINE_MS,
    );
    return found[type] as Condition;
  }

  /** Changes an object as a user does. */
  async edits(object: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>, patch: object): Promise<void> {
    await this.kube.admin.must('PATCH', await this.kube.admin.pathOf(object), patch);
  }

  /** Text of what sidecars of the cluster are told of a service's endpoints: it holds the addresses in clear. */
  served(key: string, port = 80): string {
    const { name, namespace } = named(key);
    const assignment = `outbound|${port}||${name}.${namespace}.svc.clusterset.local`;
    return Buffer.from(this.agent.store.get('sidecar', 'EDS', assignment)?.bytes ?? []).toString('latin1');
  }

  said(): string {
    return `its agent says ${JSON.stringify(this.agent.world().warnings)}`;
  }
}

/** Long for any write, and short enough that a rule that fails says which. */
const DEADLINE_MS = 15_000;

/** All of it. */
export interface Clusterset {
  readonly east: KubeMember;
  /** Its Services may be dual-stack. */
  readonly west: KubeMember;
  readonly federation: TestFederation;
  /** Writes a file of the cluster `south`, which has no API server. */
  south(file: string, text: string): void;
  /** The agent of `south` is stopped while `during` runs. */
  southSilent(during: () => Promise<void>): Promise<void>;
  /** A namespace of its own in both; returns its name. */
  shared(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts everything; the API servers at once. */
export async function startClusterset(): Promise<Clusterset> {
  const servers = await Promise.all([startKubeApiserver(), startKubeApiserver({ serviceCidrs: '10.97.0.0/16,fd00:97::/112' })]);
  // Nobody ever starts an agent of `north`.
  const federation = await startFederation(['east', 'north', 'south', 'west'], { south: 'east' });
  const members: KubeMember[] = [];
  for (const [index, name] of (['east', 'west'] as const).entries()) {
    const kube = servers[index] as TestKubeApiserver;
    await applyDefinitions(kube.admin, ['multicluster.x-k8s.io']);
    members.push(new KubeMember(name, { kube, kubeconfig: await agentKubeconfig(kube), federation }));
  }
  const [east, west] = members as [KubeMember, KubeMember];
  federation.cluster('south').put('own.yaml', serviceFile('own', []));
  for (const name of ['east', 'south', 'west']) await federation.configure(name, 1);
  let south = await federation.cluster('south').start();
  await Promise.all([east.start(), west.start(), ready(south)]);
  let count = 0;
  return {
    ...{ east, west, federation, south: (file, text) => federation.cluster('south').put(file, text) },
    southSilent: async (during) => {
      await south.stop();
      await during();
      south = await federation.cluster('south').start();
      await ready(south);
    },
    shared: async () => {
      count += 1;
      const name = `shop-${count}`;
      await Promise.all([east.namespace(name), west.namespace(name)]);
      return name;
    },
    stop: async () => {
      await federation.stop();
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/** The import of a `NAMESPACE/NAME`, to be read, edited or removed. */
export function importOf(key: string): Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'> {
  return { apiVersion: MULTICLUSTER, kind: 'ServiceImport', metadata: named(key) };
}

/** The export. */
export function exportOf(key: string): Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'> {
  return { apiVersion: MULTICLUSTER, kind: 'ServiceExport', metadata: named(key) };
}

/** Namespace and name of a `NAMESPACE/NAME`. */
export function named(key: string): { readonly namespace: string; readonly name: string } {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
}

/** Names of clusters that an import is of. */
export function clustersOf({ status }: ImportObject): string[] {
  return (status?.clusters ?? []).map(({ cluster }) => cluster);
}

/** Resolves in the next second: creation times are whole ones, and who is older is to be seen. */
export async function nextSecond(): Promise<void> {
  const now = Math.floor(Date.now() / 1_000);
  await eventually(() => Math.floor(Date.now() / 1_000) > now, 'the clock stands');
}
