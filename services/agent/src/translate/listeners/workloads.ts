/**
 * A gateway in the place of the sidecars that workloads do not have (decision 0040): for each service port an internal listener with the
 * filter chains that each of them would have, and the way to the workload in plain. The certificate is the gateway's own. Pure.
 */
import { create, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { serviceKey } from '@hawser/model/service-host.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import { type FilterChain, FilterChainSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { OriginalDstSchema } from '@hawser/xds/generated/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts';
import { TlsInspectorSchema } from '@hawser/xds/generated/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { inPieces, versionOf } from '../encode.ts';
import { inboundClusterName, serverName, workloadsName } from '../names.ts';
import type { ExtensionPolicies, Workload } from '../telemetry/extension-policies.ts';
import { NAMING_LABELS, workloadName } from '../telemetry/labels.ts';
import { logSwitch } from '../telemetry/log-switch.ts';
import { type ObservedChain, observedChain } from '../telemetry/observed-chains.ts';
import type { ProviderWorld } from '../telemetry/provider-upstreams.ts';
import { type ProxyTelemetry, proxyTelemetry } from '../telemetry/proxy-telemetry.ts';
import { extension, structured } from '../wire-values.ts';
import { applicationCluster } from './application-cluster.ts';
import { filterChains, routesOf, type ServedPort } from './inbound.ts';
import { inboundRoutes } from './inbound-http.ts';
import { type ChainPlace, chainMatcher } from './workload-matcher.ts';

/** A workload without a sidecar, as the own registry knows it. */
export interface BareWorkload {
  readonly address: string;
  /** Of all services that have it; the gateway speaks for the ports that are `bare`. */
  readonly served: readonly ServedPort[];
  readonly labels: Readonly<Record<string, string>>;
}

/** What is around them. */
export interface WorkloadsWorld extends ProviderWorld {
  readonly policies: ExtensionPolicies;
}

/** What the workloads of one service came to. */
export interface CompiledWorkloads {
  /** Listeners and routes. */
  readonly own: readonly XdsResource[];
  /** What those of other services may need as well: upstreams of applications, and what observers ask for. */
  readonly shared: readonly XdsResource[];
}

/** The workloads of a service port that no policy and no name in metrics tells apart. */
interface Group {
  readonly id: string;
  readonly port: ServedPort;
  readonly workload: Workload;
  readonly addresses: string[];
}

const { filterChains: CHAINS } = ListenerSchema.field;

/** A listener for each port of a service, and the routes to its workloads, which come sorted by address. */
export function compiledWorkloads(key: string, workloads: readonly BareWorkload[], world: WorkloadsWorld): CompiledWorkloads {
  const { fleet, lookup, policies } = world;
  const observed = groupsOf(key, workloads, world).map((group) => {
    const isHttp1 = group.port.protocol === 'http';
    const telemetry = proxyTelemetry(group.workload, policies, { fleet, lookup, isEdge: false, bearer: 'LISTENER_FILTER_CHAIN', isHttp1 });
    return { group, telemetry, chains: chainsOf(group, telemetry, world) };
  });
  const routes = observed.flatMap(({ group: { id, port }, telemetry }) => {
    if (port.protocol === 'tcp') return [];
    return [telemetry.access.guarded(inboundRoutes(`${routesOf(port)}${id}`, clusterOf(port), { fault: port.fault }))];
  });
  const byPort = Map.groupBy(observed, ({ group: { port } }) => workloadsName(port.port, port.name));
  const listeners = [...byPort].map(([name, parts]) =>
    listener(
      name,
      parts.flatMap(({ chains }) => chains),
    ),
  );
  const ports = new Map(observed.map(({ group: { port } }) => [clusterOf(port), port]));
  const clusters = [...ports].map(([name, port]) => applicationCluster(name, { workload: undefined, port, bounds: undefined }));
  return { own: [...listeners, ...routes], shared: once([...clusters, ...observed.flatMap(({ telemetry }) => telemetry.resources)]) };
}

/** What all of them need, each once. The log of all is written where that of one of them is. */
export function sharedByWorkloads(all: readonly CompiledWorkloads[]): XdsResource[] {
  return once(all.flatMap(({ shared }) => shared));
}

function once(resources: readonly XdsResource[]): XdsResource[] {
  const on = (['CLIENT', 'SERVER'] as const).map((side) => logSwitch(side, true)).filter((one) => resources.includes(one));
  return [...new Map([...resources, ...on].map((resource) => [`${resource.type} ${resource.name}`, resource])).values()];
}

function clusterOf({ targetPort, protocol }: ServedPort): string {
  return inboundClusterName(targetPort, protocol);
}

/** In the order of ports and their groups. What tells workloads apart are the labels that policies select by, and those that metrics show. */
function groupsOf(key: string, workloads: readonly BareWorkload[], { fleet, policies }: WorkloadsWorld): Group[] {
  const { labels: telling, services: targeted } = selectorsOf(policies);
  const groups = new Map<string, Group>();
  for (const { address, served, labels } of workloads) {
    const kept = Object.fromEntries(
      Object.entries(labels)
        .filter(([name]) => telling.has(name))
        .sort(),
    );
    const services = [...new Set(served.map(({ name }) => serviceKey(name)))].filter((one) => targeted.has(one)).sort();
    for (const port of served.filter(({ bare, name }) => bare !== undefined && serviceKey(name) === key)) {
      const id = `|${sha256(JSON.stringify([port.targetPort, kept, services])).slice(0, 8)}`;
      const name = `${serverName(port.port, port.name)}${id}`;
      const workload: Workload = {
        ...{ name: workloadName(kept, port.name), namespace: port.name.namespace, cluster: fleet.self.name },
        ...{ labels: kept, services: new Set(services) },
      };
      const group = groups.get(name) ?? { id, port, workload, addresses: [] };
      group.addresses.push(address);
      groups.set(name, group);
    }
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

/** What policies tell workloads apart by. */
interface Selectors {
  readonly labels: ReadonlySet<string>;
  /** Keys of services. */
  readonly services: ReadonlySet<string>;
}

const knownSelectors = new WeakMap<ExtensionPolicies, Selectors>();

function selectorsOf(policies: ExtensionPolicies): Selectors {
  const known = knownSelectors.get(policies);
  if (known !== undefined) return known;
  const targets = policies.sources.flatMap(({ metadata, spec }) =>
    targetsOf(spec as Targeted).map((name) => `${metadata.namespace}/${name}`),
  );
  const selecting = policies.sources.flatMap(({ spec }) => Object.keys((spec as Targeted | undefined)?.selector?.matchLabels ?? {}));
  const made = { labels: new Set([...NAMING_LABELS, ...selecting]), services: new Set(targets) };
  knownSelectors.set(policies, made);
  return made;
}

/** What of a policy says for whom it is. */
interface Targeted {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly targetRef?: { readonly name: string };
  readonly targetRefs?: readonly { readonly name: string }[];
}

function targetsOf({ targetRef, targetRefs = [] }: Targeted = {}): string[] {
  return [...(targetRef === undefined ? [] : [targetRef]), ...targetRefs].map(({ name }) => name);
}

interface PlacedChain extends ChainPlace {
  readonly chain: ObservedChain;
}

/** As a sidecar has them. Which connections they are for says the matcher, so that workloads come and go without a change of a chain. */
function chainsOf({ id, port, addresses }: Group, { observers, metadata }: ProxyTelemetry, { fleet }: WorkloadsWorld): PlacedChain[] {
  return filterChains(port, { severed: fleet.severed, group: id }).map(({ filterChainMatch, ...init }) => {
    const filterMetadata = { ...init.metadata?.filterMetadata, ...(metadata as Record<string, JsonObject>) };
    const chain = create(FilterChainSchema, { ...init, metadata: { filterMetadata } });
    if (port.bare === 'own') keepToOwn(chain, fleet.self.trustDomain);
    const content = new BinaryWriter().bytes(toBinary(FilterChainSchema, chain)).finish();
    return {
      ...{ port: port.targetPort, addresses, name: chain.name, isHttp2: filterChainMatch?.applicationProtocols !== undefined },
      chain: observedChain(CHAINS.number, content, { side: 'SERVER', observers }),
    };
  });
}

/** What a cluster keeps to itself its gateways keep for callers of its own trust domain. */
function keepToOwn(chain: FilterChain, trustDomain: string): void {
  if (chain.transportSocket === undefined) return;
  const principals = [{ authenticated: { principal_name: { prefix: `spiffe://${trustDomain}/` } } }];
  const rules = { action: 'ALLOW', policies: { own: { permissions: [{ any: true }], principals } } };
  const filter = structured('envoy.filters.network.rbac', 'envoy.extensions.filters.network.rbac.v3.RBAC', { stat_prefix: 'own', rules });
  chain.filters.unshift(...create(FilterChainSchema, { filters: [filter] }).filters);
}

function listener(name: string, placed: readonly PlacedChain[]): XdsResource {
  const message = create(ListenerSchema, {
    name,
    listenerSpecifier: { case: 'internalListener', value: {} },
    listenerFilters: [
      extension('envoy.filters.listener.original_dst', OriginalDstSchema, {}),
      extension('envoy.filters.listener.tls_inspector', TlsInspectorSchema, {}),
    ],
    filterChainMatcher: chainMatcher(placed),
  });
  const head = toBinary(ListenerSchema, message);
  const version = sha256([versionOf(head), ...placed.map(({ chain }) => chain.version)].join()).slice(0, 16);
  return inPieces({ type: 'LDS', name, version }, [head, ...placed.map(({ chain }) => chain.field)]);
}
