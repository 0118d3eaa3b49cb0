/** What belongs to one proxy: its listeners, on its own address, and the way to its application. */
import type { XdsResource } from '../snapshot/resource.ts';
import type { ProxyRef } from '../state/world.ts';
import { gatewayListener } from './listeners/gateway.ts';
import { inboundResources, type ServedPort } from './listeners/inbound.ts';
import type { InboundBounds } from './listeners/ingress.ts';
import { outboundListener, tcpListener } from './listeners/outbound-listeners.ts';
import type { TcpService } from './listeners/tcp-ports.ts';
import { observedAll } from './telemetry/observed-listeners.ts';
import type { ProxyTelemetry } from './telemetry/proxy-telemetry.ts';

/** Resources of a proxy whose workload serves `served` and may call the TCP services of `tcp`; `captured` when its traffic is. */
export function proxyResources(
  proxy: ProxyRef,
  about: {
    readonly served: readonly ServedPort[];
    readonly tcp: readonly TcpService[];
    readonly captured: readonly XdsResource[];
    readonly telemetry: ProxyTelemetry;
    readonly bounds: InboundBounds | undefined;
  },
): XdsResource[] {
  if (proxy.role === 'gateway') return [gatewayListener(proxy.address)];
  const own = [
    outboundListener(proxy.address),
    ...about.tcp.map((service) => tcpListener(proxy.address, service)),
    ...inboundResources(proxy.address, about.served, { captured: proxy.capture !== undefined, bounds: about.bounds }),
    ...about.captured,
  ];
  return observedAll(own, about.telemetry);
}
