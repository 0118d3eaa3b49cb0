/** The proxies of this agent: who they are, which layers they need, and which of them are leaving. */
import { isDeepStrictEqual } from 'node:util';
import type { Resource } from '@hawser/model/resource.ts';
import { WORKLOAD_GROUP_LABEL } from '@hawser/model/workload-group.ts';
import type { ControlLoop } from './control-loop.ts';
import { joinedWorkloads } from './discover/joined-workloads.ts';
import type { LocalSource } from './discover/local-source.ts';
import { WorkloadReadiness } from './discover/workload-readiness.ts';
import type { Shards } from './state/endpoint-brake.ts';
import type { ProxyRef } from './state/world.ts';
import type { ProxyTokenVerifier } from './trust/proxy-tokens.ts';
import { type ConnectedProxy, type ProxyGate, TokenRefusal } from './xds/proxy-gate.ts';

/** What is remembered of a proxy. */
function refOf({ capture, fetchesUpstreams, outboundAddress, outboundGateway, ...known }: ConnectedProxy): ProxyRef {
  const { role, address, name, namespace, serviceAccount, labels } = known;
  return {
    ...{ role, address, name, namespace, serviceAccount, labels },
    ...(capture === undefined ? {} : { capture }),
    ...(fetchesUpstreams === undefined ? {} : { fetchesUpstreams }),
    ...(outboundAddress === undefined ? {} : { outboundAddress }),
    ...(outboundGateway === undefined ? {} : { outboundGateway }),
  };
}

/** What it works with. */
export interface ProxyRegistryParts {
  readonly verify: ProxyTokenVerifier;
  readonly loop: ControlLoop;
  readonly local: LocalSource;
  /** Proxies of the last good state: their layers are made before they connect again. */
  readonly saved: readonly ProxyRef[];
  /** Policies in force, by resource key. */
  readonly policies: () => ReadonlyMap<string, Resource>;
  /** The own cluster's, while it is known. */
  readonly network: () => string | undefined;
  /** The proxies to be saved differ. */
  readonly onChange: () => void;
}

/** Saved proxies that have not come back by then are forgotten. */
const FORGET_MS = 600_000;
/** A machine without a stream is registered this long. */
const LEAVE_MS = 30_000;

/** Decides who gets configuration. */
export class ProxyRegistry implements ProxyGate {
  readonly readiness: WorkloadReadiness;
  readonly #parts: ProxyRegistryParts;
  readonly #layers = new Map<string, ProxyRef>();
  readonly #connected = new Map<string, ConnectedProxy>();
  readonly #forget: NodeJS.Timeout;
  /** Those of the layers that belong to WorkloadGroups. */
  readonly #members = new Map<string, ProxyRef>();
  /** Members whose streams ended a moment ago. */
  readonly #left = new Map<string, ProxyRef>();
  #stopping = false;

  constructor(parts: ProxyRegistryParts) {
    this.#parts = parts;
    this.readiness = new WorkloadReadiness(parts.policies, () => this.rejoin());
    for (const proxy of parts.saved) {
      this.#keep(proxy);
      parts.loop.attach(proxy);
    }
    this.#forget = setTimeout(() => this.#forgetAbsent(), FORGET_MS).unref();
  }

  get ready(): boolean {
    return this.#parts.loop.ready;
  }

  onReady(callback: () => void): void {
    this.#parts.loop.onReady(callback);
  }

  authenticate(token: string): ReturnType<ProxyTokenVerifier> {
    return this.#parts.verify(token);
  }

  attach(proxy: ConnectedProxy): void {
    const { role, address, name } = proxy;
    const before = this.#connected.get(name);
    this.#connected.set(name, proxy);
    const known = this.#layers.get(`${role}:${address}`);
    const ref = refOf(proxy);
    this.#keep(ref);
    this.#parts.loop.attach(ref);
    if (role !== 'gateway') this.#parts.local.sidecarConnected(address);
    this.#left.delete(`${role}:${address}`);
    this.rejoin();
    if (before?.address !== address || !isDeepStrictEqual(known, ref)) this.#parts.onChange();
  }

  detach(proxy: ConnectedProxy): void {
    // Stopping ends all streams: the proxies are still there, and come back.
    if (this.#stopping) return;
    const { role, address } = proxy;
    for (const [name, other] of this.#connected) if (other.role === role && other.address === address) this.#connected.delete(name);
    this.#leave(`${role}:${address}`);
    this.#drop(`${role}:${address}`);
    this.#parts.loop.detach({ role, address });
    if (role !== 'gateway') this.#parts.local.sidecarGone(address);
    this.#parts.onChange();
  }

  /** Registers what belongs to WorkloadGroups; to be called when those may differ. */
  rejoin(): void {
    this.readiness.tell();
    // Most proxies belong to no group, and come by the hundred when an agent starts.
    const proxies = [...[...this.#members.values()].sort(byLayer), ...this.#left.values()];
    const { local, network, policies } = this.#parts;
    // Looked at only where a machine says nothing: after an agent's start.
    let inForce: ReadonlySet<string> | undefined;
    const isReady = ({ name = '', address, namespace = '', serviceAccount = '' }: ProxyRef): boolean => {
      const said = this.readiness.readyOf({ name, address, namespace, serviceAccount });
      inForce ??= said === undefined ? readyIn(local.shards) : inForce;
      return said ?? inForce?.has(`${namespace}/${serviceAccount}/${address}`) === true;
    };
    local.setNetwork(network());
    local.setJoined(joinedWorkloads(proxies, { policies: policies(), isReady }));
  }

  /** A machine that did not say that it leaves keeps its place for a while: its sidecar may only connect anew, and the checks see whether it serves. */
  #leave(layer: string): void {
    const proxy = this.#layers.get(layer);
    if (proxy === undefined || !belongsToGroup(proxy) || this.#parts.local.isDraining(proxy.address)) return;
    this.#left.set(layer, proxy);
    setTimeout(() => {
      if (this.#left.get(layer) !== proxy || !this.#left.delete(layer)) return;
      this.rejoin();
    }, LEAVE_MS).unref();
  }

  /** Marks the proxy's endpoints as DRAINING; false when the token does not prove to be that proxy. */
  async drain(token: string, proxy: { readonly name: string; readonly address: string }): Promise<boolean> {
    const identity = await this.#parts.verify(token).catch(refused);
    if (identity === undefined || (identity.name !== undefined && identity.name !== proxy.name)) return false;
    const { namespace, serviceAccount } = identity;
    const connected = this.#connected.get(proxy.name);
    if (connected?.address === proxy.address && connected.namespace === namespace && connected.serviceAccount === serviceAccount) {
      if (connected.role !== 'gateway') this.#parts.local.markDraining(proxy.address);
      return true;
    }
    // Not connected, as while this agent was restarted: then its endpoint must bear the identity.
    const shards = [...this.#parts.local.shards.values()].filter((shard) => shard.namespace === namespace);
    const isIts = shards.some((shard) =>
      shard.endpoints.some((endpoint) => endpoint.address === proxy.address && endpoint.serviceAccount === serviceAccount),
    );
    if (isIts) this.#parts.local.markDraining(proxy.address);
    return isIts;
  }

  /** What is saved: proxies that are connected, or were when the agent started. */
  refs(): ProxyRef[] {
    return [...this.#layers.values()].sort(byLayer);
  }

  #keep(proxy: ProxyRef): void {
    const layer = layerOf(proxy);
    this.#layers.set(layer, proxy);
    if (belongsToGroup(proxy)) this.#members.set(layer, proxy);
    else this.#members.delete(layer);
  }

  #drop(layer: string): void {
    this.#layers.delete(layer);
    this.#members.delete(layer);
  }

  /** The streams are about to be closed by this side. */
  stop(): void {
    this.#stopping = true;
    clearTimeout(this.#forget);
  }

  #forgetAbsent(): void {
    const present = new Set([...this.#connected.values()].map(({ role, address }) => `${role}:${address}`));
    for (const [layer, proxy] of this.#layers) {
      if (present.has(layer)) continue;
      this.#drop(layer);
      this.#parts.loop.detach(proxy);
    }
    this.rejoin();
    this.#parts.onChange();
  }
}

/** To whoever asks for a drain it is one whether the token is wrong or could not be looked at. */
function refused(error: unknown): undefined {
  if (!(error instanceof TokenRefusal)) throw error;
}

function belongsToGroup(proxy: ProxyRef): boolean {
  return proxy.labels?.[WORKLOAD_GROUP_LABEL] !== undefined;
}

function layerOf({ role, address }: ProxyRef): string {
  return `${role}:${address}`;
}

function byLayer(a: ProxyRef, b: ProxyRef): number {
  return layerOf(a) < layerOf(b) ? -1 : 1;
}

/**
 * `NAMESPACE/ACCOUNT/ADDRESS` of endpoints that are not said to be not ready. What is in force stays while a machine says nothing: an
 * agent's restart, or a group that gets a probe, ends nobody's service.
 */
function readyIn(shards: Shards): ReadonlySet<string> {
  const ready = new Set<string>();
  for (const { namespace, endpoints } of shards.values())
    for (const endpoint of endpoints)
      if (endpoint.ready !== false) ready.add(`${namespace}/${endpoint.serviceAccount}/${endpoint.address}`);
  return ready;
}
