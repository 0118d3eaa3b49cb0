/** What a sidecar gets beyond others when its workload's traffic is captured: made once for all of them while nothing differs. */
import type { XdsResource } from '../../snapshot/resource.ts';
import type { Capture } from '../../state/world.ts';
import type { TcpCaller } from '../listeners/tcp-ports.ts';
import { CAPTURE, INBOUND_PASSTHROUGH_CLUSTER, PASSTHROUGH_CLUSTER } from '../names.ts';
import { type EncodedHost, routeConfiguration } from '../routes/route-config.ts';
import type { ServiceView } from '../services/service-view.ts';
import { passthroughCluster } from '../upstreams/passthrough.ts';
import { captureListener, type Elsewhere } from './capture-listener.ts';
import { namesListener, namesRoutes } from './capture-names.ts';
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
}

/** Compiles for captured workloads. */
export class CaptureCompiler {
  readonly #range: VirtualRange;
  #key = '';
  #hosts: readonly AddressedHost[] = [];
  #names: XdsResource | undefined;
  readonly #listeners = new Map<string, XdsResource>();

  constructor(range: VirtualRange) {
    this.#range = range;
  }

  /** Listeners, routes and clusters of one captured workload's sidecar. */
  resources(capture: Capture, callable: Callable): XdsResource[] {
    this.#refresh(callable);
    this.#names ??= namesRoutes(this.#hosts);
    return [
      this.#listener(capture, callable),
      namesListener(),
      this.#names,
      PASSTHROUGH,
      INBOUND_PASSTHROUGH,
      ...(callable.elsewhere === 'ALLOW_ANY' ? [routeConfiguration(CAPTURE, callable.hosts)] : []),
    ];
  }

  #refresh({ views, lookup, scope }: Callable): void {
    const named = views.flatMap((view) => namedHosts(view, { lookup, scope }));
    const key = JSON.stringify(named);
    if (key === this.#key) return;
    this.#key = key;
    this.#hosts = addressed(named, this.#range);
    this.#names = undefined;
    this.#listeners.clear();
  }

  #listener(capture: Capture, { elsewhere, fetches }: Callable): XdsResource {
    const key = `${capture} ${elsewhere} ${fetches}`;
    const known = this.#listeners.get(key);
    const listener = known ?? captureListener(capture, { hosts: this.#hosts, range: this.#range, elsewhere, fetches });
    this.#listeners.set(key, listener);
    return listener;
  }
}

const PASSTHROUGH = passthroughCluster(PASSTHROUGH_CLUSTER);
const INBOUND_PASSTHROUGH = passthroughCluster(INBOUND_PASSTHROUGH_CLUSTER);
