/** Workloads of this agent's sidecars, port by port, with those who called them otherwise than by the mesh's TLS. Pure. */
import { serviceKey } from '@hawser/model/service-host.ts';
import type { ProxyStatus } from '@hawser/wire/messages.ts';
import type {
  CalledPort,
  CalledWorkload,
  PlainCallerSeen,
  PlainCallersAccount,
  PlainCallersRequest,
} from '@hawser/wire/strict-readiness.ts';
import type { ProxyRef, World } from '../state/world.ts';
import { proxyKey } from '../traffic/traffic-reporter.ts';
import { modeAt, type PeerModes, peerModes } from '../translate/access/peer-modes.ts';
import { type ExtensionPolicies, extensionPolicies, workloadOf } from '../translate/telemetry/extension-policies.ts';
import type { PlainAccount, PlainCaller, PlainCallers } from './plain-callers.ts';

/** What the report is made of. */
export interface PlainReportParts {
  readonly world: Pick<World, 'self' | 'clusters' | 'shards' | 'policies'>;
  /** Connected proxies. */
  readonly proxies: readonly Pick<ProxyStatus, 'role' | 'address' | 'proxy' | 'namespace'>[];
  /** What is known of them beside that. */
  readonly refs: readonly ProxyRef[];
  readonly callers: PlainCallers;
  /** ms. */
  readonly now: number;
}

/** An answer has to fit into one message. */
export const MOST_IN_ANSWER = { workloads: 1_000, callersOfPort: 20, callers: 2_000, bare: 1_000 } as const;

/** What a cluster's registry has at an address. */
interface Here {
  readonly services: string[];
  readonly ports: Map<number, string[]>;
  labels: Readonly<Record<string, string>> | undefined;
}

/** Who is at an address, as far as anybody says. */
type Names = ReadonlyMap<string, { readonly workload: string; readonly cluster: string }>;

/** The answer to the hub. */
export function plainReport({ windowMs, namespace }: PlainCallersRequest, parts: PlainReportParts): PlainCallersAccount {
  const { world, proxies, callers, now } = parts;
  const here = ownRegistry(world);
  const context: Context = {
    ...parts,
    windowMs,
    here,
    names: namesOf(parts),
    policies: extensionPolicies(world.policies),
    left: MOST_IN_ANSWER.callers,
  };
  const sidecars = proxies
    .filter((proxy) => proxy.role === 'sidecar' && (namespace === undefined || proxy.namespace === namespace))
    .sort((a, b) => compare(`${a.namespace}/${a.proxy}`, `${b.namespace}/${b.proxy}`));
  const lost = lostSidecars(callers, proxies, here).filter((one) => namespace === undefined || one.namespace === namespace);
  const known = new Set([...proxies, ...lost].map(({ address }) => address));
  const all = [...sidecars, ...lost];
  const bare = [...here].flatMap(([address, { services }]) => {
    const wanted = services.filter((service) => namespace === undefined || service.startsWith(`${namespace}/`));
    return known.has(address) || wanted.length === 0 ? [] : [{ address, services: wanted }];
  });
  return {
    now: new Date(now).toISOString(),
    workloads: all.slice(0, MOST_IN_ANSWER.workloads).map((proxy) => {
      const account = callers.account(proxyKey(proxy), { now, windowMs });
      return calledWorkload(proxy, account, context);
    }),
    omitted: Math.max(all.length - MOST_IN_ANSWER.workloads, 0),
    bare: bare.slice(0, MOST_IN_ANSWER.bare),
  };
}

type Sidecar = PlainReportParts['proxies'][number];

/** Those that were read within the hour and are not connected now, whose workloads are still there: nobody knows who calls them. */
function lostSidecars(callers: PlainCallers, proxies: readonly Sidecar[], here: ReadonlyMap<string, Here>): Sidecar[] {
  const connected = new Set(proxies.map(({ address }) => address));
  return callers.proxies.flatMap((key): Sidecar[] => {
    const [, address = '', proxy = ''] = /^sidecar:(.+):([^:]+)$/.exec(key) ?? [];
    const namespace = here.get(address)?.services[0]?.split('/')[0];
    return namespace === undefined || connected.has(address) ? [] : [{ role: 'sidecar', address, proxy, namespace }];
  });
}

interface Context extends PlainReportParts {
  readonly windowMs: number;
  readonly here: ReadonlyMap<string, Here>;
  readonly names: Names;
  readonly policies: ExtensionPolicies;
  /** Callers that may still be listed. */
  left: number;
}

function calledWorkload(proxy: Sidecar, account: PlainAccount | undefined, context: Context): CalledWorkload {
  const { role, address, proxy: name, namespace } = proxy;
  const { world, refs, here, policies } = context;
  const ref: ProxyRef = refs.find((one) => one.role === 'sidecar' && one.address === address) ?? { role, address, name, namespace };
  const { services = [], ports = new Map<number, string[]>(), labels } = here.get(address) ?? {};
  const workload = { ...workloadOf(ref, { served: [], labels, cluster: world.self }), namespace, services: new Set(services) };
  const modes = peerModes(workload, policies);
  const byPort = Map.groupBy(account?.callers ?? [], ({ port }) => port);
  const numbers = [...new Set([...ports.keys(), ...modes.ports.keys(), ...byPort.keys()])].sort((a, b) => (a ?? 65_536) - (b ?? 65_536));
  return {
    ...{ namespace, name, address, captured: ref.capture !== undefined },
    ...(account === undefined ? {} : { since: timeOf(account.since), readAt: timeOf(account.readAt) }),
    ports: numbers.map((port) =>
      calledPort({ port, services: ports.get(port ?? 0) ?? [], callers: byPort.get(port) ?? [] }, modes, context),
    ),
  };
}

interface Called {
  readonly port: number | undefined;
  readonly services: readonly string[];
  readonly callers: readonly PlainCaller[];
}

function calledPort({ port, services, callers }: Called, modes: PeerModes, context: Context): CalledPort {
  const listed = callers.slice(0, Math.min(MOST_IN_ANSWER.callersOfPort, context.left));
  context.left -= listed.length;
  const mode = port === undefined ? modes.whole : modeAt(modes, port);
  return {
    ...(port === undefined ? {} : { port }),
    services: [...services],
    ...(mode === undefined ? {} : { mode }),
    callers: listed.map((caller) => seen(caller, context.names)),
    omitted: callers.length - listed.length,
  };
}

function seen({ way, address, count, open, lastSeen }: PlainCaller, names: Names): PlainCallerSeen {
  return {
    ...{ way, count, open, lastSeen: timeOf(lastSeen) },
    ...(address === undefined ? {} : { address, ...names.get(address) }),
  };
}

function ownRegistry({ self, shards }: PlainReportParts['world']): Map<string, Here> {
  const here = new Map<string, Here>();
  for (const [key, byCluster] of shards) {
    const shard = byCluster.get(self);
    for (const { address, targetPorts, labels } of shard?.endpoints ?? []) {
      const at: Here = here.get(address) ?? { services: [], ports: new Map(), labels };
      here.set(address, at);
      at.services.push(key);
      for (const port of new Set(Object.values(targetPorts))) at.ports.set(port, [...(at.ports.get(port) ?? []), key]);
    }
  }
  return here;
}

/** The own proxies before what the registry says; other clusters only where addresses mean the same: in the own network. */
function namesOf({ world, proxies }: PlainReportParts): Names {
  const { self, clusters, shards } = world;
  const names = new Map<string, { workload: string; cluster: string }>();
  const network = clusters.get(self)?.network;
  for (const byCluster of shards.values())
    for (const [cluster, { namespace, service, endpoints }] of byCluster) {
      if (cluster !== self && clusters.get(cluster)?.network !== network) continue;
      for (const { address } of endpoints)
        if (cluster === self || !names.has(address)) names.set(address, { workload: serviceKey({ namespace, service }), cluster });
    }
  for (const { address, namespace, proxy } of proxies) names.set(address, { workload: `${namespace}/${proxy}`, cluster: self });
  return names;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function compare(a: string, b: string): number {
  return a < b ? -1 : 1;
}
