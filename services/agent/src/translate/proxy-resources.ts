/** What belongs to one proxy: its listeners, on its own address, and the way to its application. */
import type { XdsResource } from '../snapshot/resource.ts';
import type { ProxyRef } from '../state/world.ts';
import { ownTls, type SecretSource, type TlsServer } from './edge/terminated-tls.ts';
import { boundOutbound } from './listeners/bound-outbound.ts';
import { gatewayListener } from './listeners/gateway.ts';
import { inboundResources, type ServedPort } from './listeners/inbound.ts';
import type { InboundBounds } from './listeners/ingress.ts';
import { callersAddress, outboundListener, tcpListener } from './listeners/outbound-listeners.ts';
import type { TcpService } from './listeners/tcp-ports.ts';
import type { BoundPart } from './scope/bound-parts.ts';
import { observedAll } from './telemetry/observed-listeners.ts';
import type { ProxyTelemetry } from './telemetry/proxy-telemetry.ts';

/** Resources of a proxy whose workload serves `served` and may call the TCP services of `tcp`; `named` is what calls by names need. */
export function proxyResources(
  proxy: ProxyRef,
  about: {
    readonly served: readonly ServedPort[];
    readonly tcp: readonly TcpService[];
    readonly named: readonly XdsResource[];
    readonly telemetry: ProxyTelemetry;
    readonly severed: string | undefined;
    readonly bounds: InboundBounds | undefined;
    /** Whether tunnels through the own cluster's gateways have to end. */
    readonly isGatewayDrained: boolean;
    readonly bound: readonly BoundPart[];
    /** Where a Sidecar's certificates come from; undefined while nobody knows whose the proxy is. */
    readonly secrets: SecretSource | undefined;
  },
): XdsResource[] {
  if (proxy.role === 'gateway') return [gatewayListener(proxy.address, about.isGatewayDrained)];
  const { bounds, secrets, served, severed } = about;
  const endTls = secrets === undefined ? {} : { endTls: (server: TlsServer) => ownTls(server, secrets) };
  const { peers } = about.telemetry;
  const fetches = proxy.fetchesUpstreams === true;
  const called = callersAddress(proxy);
  const own = [
    outboundListener(called, fetches),
    ...about.tcp.map((service) => tcpListener(called, service, fetches)),
    ...boundOutbound(about.bound, called, proxy.capture !== undefined),
    // An outbound gateway has no workload.
    ...(proxy.outboundGateway === true
      ? []
      : inboundResources(proxy.address, served, { captured: proxy.capture !== undefined, bounds, severed, peers, ...endTls })),
    ...about.named,
  ];
  return observedAll(own, about.telemetry);
}
