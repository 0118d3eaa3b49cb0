/** What a sidecar gets beyond others when its workload's traffic is captured: made once for all of them while nothing differs. */
import type { XdsResource } from '../../snapshot/resource.ts';
import type { Capture } from '../../state/world.ts';
import type { TcpCaller } from '../listeners/tcp-ports.ts';
import { CAPTURE, INBOUND_PASSTHROUGH_CLUSTER, OUTBOUND, PASSTHROUGH_CLUSTER, UNAVAILABLE_CLUSTER } from '../names.ts';
import { type EncodedHost, routeConfiguration } from '../routes/route-config.ts';
import type { BoundPart } from '../scope/bound-parts.ts';
import type { SidecarBounds } from '../scope/sidecar-bounds.ts';
import type { ServiceView } from '../services/service-view.ts';
import { passthroughCluster } from '../upstreams/passthrough.ts';
import { withBareNames } from './bare-names.ts';
import { captureListener, type Elsewhere } from './capture-listener.ts';
import { namesListener, namesRoutes } from './capture-names.ts';
import { type Calls, capturedCalls } from './captured-calls.ts';
import { type AddressedHost, addressed, namedHosts } from './named-hosts.ts';
import type { VirtualRange } from './virtual-addresses.ts';

/** What the workload may call. */
export interface Callable extends TcpCaller {
  readonly views: readonly ServiceView[];
  /** The virtual hosts of the route configuration `outbound`. */
  readonly hosts: readonly EncodedHost[];
  readonly elsewhere: Elsewhere;
  /** Whether the sidecar fetches upstreams that it was not sent. */
  readonly fetches: boolean;
  /** The upstream of requests to hosts that no service has, where the routes name one. */
  readonly fallback: string | undefined;
  readonly bounds: SidecarBounds | undefined;
  readonly bound: readonly BoundPart[];
  /** Host → the address that its ServiceImport has. */
  readonly held: ReadonlyMap<string, string> | undefined;
  /** The workload's own, whose services it may call by their bare names. */
  readonly namespace: string | undefined;
}

/** Compiles for captured workloads. */
export class CaptureCompiler {
  readonly #range: VirtualRange;
  #key = '';
  #held: ReadonlyMap<string, string> | undefined;
  #hosts: readonly AddressedHost[] = [];
  #names: XdsResource | undefined;
  readonly #listeners = new Map<string, XdsResource>();

  constructor(range: VirtualRange) {
    this.#range = range;
  }

  /** Listeners, routes and clusters of one captured workload's sidecar. */
  resources(capture: Capture, callable: Callable): XdsResource[] {
    const calls = capturedCalls(callable, callable.bounds);
    this.#refresh(calls.views, callable);
    this.#names ??= namesRoutes(this.#hosts);
    return [
      this.#listener(capture, callable, calls.isPartial),
      namesListener(),
      this.#names,
      PASSTHROUGH,
      INBOUND_PASSTHROUGH,
      ...capturedRoutes(callable, calls),
    ];
  }

  #refresh(views: readonly ServiceView[], { lookup, scope, bound, held }: Callable): void {
    const named = views.flatMap((view) => namedHosts(view, { lookup, scope }));
    const key = JSON.stringify([named, bound.map(({ egress, tcp }) => [egress.name, egress.way, egress.protocol, tcp])]);
    if (key === this.#key && held === this.#held) return;
    const hosts = addressed(named, this.#range, held);
    this.#held = held;
    if (key === this.#key && JSON.stringify(hosts) === JSON.stringify(this.#hosts)) return;
    this.#key = key;
    this.#hosts = hosts;
    this.#names = undefined;
    this.#listeners.clear();
  }

  #listener(capture: Capture, { elsewhere, fetches, bound }: Callable, isPartial: boolean): XdsResource {
    const key = `${capture} ${elsewhere} ${fetches} ${isPartial}`;
    const known = this.#listeners.get(key);
    const listener = known ?? captureListener(capture, { hosts: this.#hosts, range: this.#range, elsewhere, fetches, bound, isPartial });
    this.#listeners.set(key, listener);
    return listener;
  }
}

/**
 * Where captured requests go: by the routes of all calls, which have the bare names of the workload's own namespace beside those that
 * all sidecars read, and by others for what was going elsewhere, or for all of it where not everything may be called so.
 */
function capturedRoutes({ hosts, elsewhere, fallback, namespace }: Callable, calls: Calls): XdsResource[] {
  const named = namespace === undefined ? hosts : withBareNames(hosts, namespace);
  const own = named === hosts ? [] : [routeConfiguration(OUTBOUND, named, fallback)];
  if (elsewhere !== 'ALLOW_ANY' && !calls.isPartial) return own;
  const all = !calls.isPartial ? named : namespace === undefined ? calls.hosts : withBareNames(calls.hosts, namespace);
  return [...own, routeConfiguration(CAPTURE, all, elsewhere === 'ALLOW_ANY' ? undefined : UNAVAILABLE_CLUSTER)];
}

const PASSTHROUGH = passthroughCluster(PASSTHROUGH_CLUSTER);
const INBOUND_PASSTHROUGH = passthroughCluster(INBOUND_PASSTHROUGH_CLUSTER);
