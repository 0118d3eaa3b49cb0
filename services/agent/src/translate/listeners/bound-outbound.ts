/** Listeners for what a workload calls at addresses that its Sidecar chose. Pure. */
import { create } from '@bufbuild/protobuf';
import type { Address } from '@hawser/xds/generated/envoy/config/core/v3/address_pb.ts';
import type { FilterChainSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded } from '../encode.ts';
import { upstreamName } from '../names.ts';
import { isCalled } from '../scope/bound-egress.ts';
import type { BoundPart } from '../scope/bound-parts.ts';
import { isUnixBind } from '../scope/sidecar-bounds.ts';
import { cidrRange, type Init, pipeAddress, socketAddress } from '../wire-values.ts';
import { routedChains } from './connection-chains.ts';
import { connectionListener, outboundHttp, outboundTcp } from './outbound-listeners.ts';

/** Every program of the workload may call, as on loopback: whose sidecar it is, nobody else shares the file system of. */
const SOCKET_MODE = 0o666;

/** The listeners that a sidecar binds itself; `at` is where its workload calls it. */
export function boundOutbound(parts: readonly BoundPart[], at: string, isCaptured: boolean): XdsResource[] {
  return parts.flatMap(({ egress, tcp }) => {
    if (!isCalled(egress, isCaptured)) return [];
    const address = addressOf(egress, at);
    if (egress.protocol === 'tcp') return tcp === undefined ? [] : [connectionListener(egress.name, address, tcp)];
    const message = create(ListenerSchema, { name: egress.name, address, filterChains: [{ filters: [outboundHttp(egress.name)] }] });
    return [encoded('LDS', egress.name, message, ListenerSchema)];
  });
}

function addressOf({ bind, port }: BoundPart['egress'], at: string): Address {
  if (!isUnixBind(bind)) return socketAddress(bind === '' ? at : bind, port);
  const path = bind.slice('unix://'.length);
  return pipeAddress(path, path.startsWith('@') ? 0 : SOCKET_MODE);
}

/** Filter chains of what the kernel led here on its way to such an address; one that is no single address has none. */
export function boundChains(
  parts: readonly BoundPart[],
): readonly { readonly port: number; readonly chain: Init<typeof FilterChainSchema> }[] {
  return parts.flatMap(({ egress, tcp }) => {
    const { name, bind, port } = egress;
    if (isCalled(egress, true) || bind === '0.0.0.0' || bind === '::') return [];
    const filterChainMatch = { destinationPort: port, prefixRanges: [cidrRange(bind)] };
    if (egress.protocol === 'http') return [{ port, chain: { name, filterChainMatch, filters: [outboundHttp(name)] } }];
    if (tcp === undefined) return [];
    const own = { name, filterChainMatch, filters: [outboundTcp(name, upstreamName(tcp.port, '', tcp.host), tcp)] };
    return [...routedChains(name, tcp, filterChainMatch), own].map((chain) => ({ port, chain }));
  });
}
