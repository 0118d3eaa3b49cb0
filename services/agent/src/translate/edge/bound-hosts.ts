/** Which hosts of a VirtualService a server of a Gateway serves. Pure. */
import { isExportedTo, type ProxyScope } from '../scope/scope.ts';
import type { BoundService, EdgeGateway } from './edge-index.ts';
import type { EdgeServer } from './edge-servers.ts';
import { commonHost, wantedHosts } from './host-names.ts';

/** Whether the VirtualService, or one of its matches, names the Gateway. */
export function isBoundTo(service: BoundService, gateway: EdgeGateway): boolean {
  return service.gateways.has(gateway.key);
}

/** What the hosts of both have in common, as the proxy sees it; none when the VirtualService is not exported to it. */
export function servedHosts(service: BoundService, server: Pick<EdgeServer, 'hosts'>, scope: ProxyScope): string[] {
  const { spec, namespace } = service;
  if (!isExportedTo(spec.exportTo, namespace, scope.namespace)) return [];
  const wanted = (spec.hosts ?? []).flatMap((host) => wantedHosts(host, namespace));
  const allowed = server.hosts.filter((host) => host.namespace === '*' || host.namespace === namespace);
  const found = allowed.flatMap(({ host }) => wanted.map((other) => commonHost(host, other)));
  return [...new Set(found.filter((host) => host !== undefined))];
}
