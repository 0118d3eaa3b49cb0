/** The TCP services of a scope. Pure. */
import type { TcpPort, TcpService } from '../listeners/tcp-ports.ts';
import { isBounded, type ScopeView } from './scope-view.ts';

/** The TCP services that the proxies of a view have listeners for. */
export function tcpServicesOf({ bounds, tcp }: ScopeView, all: readonly TcpService[]): readonly TcpService[] {
  if (!isBounded(bounds) && tcp.size === 0) return all;
  return all.flatMap((service) => {
    const key = tcpKeyOf(service);
    const own = tcp.get(key);
    if (own !== undefined) return [{ ...own, listenerPort: service.listenerPort }];
    return isBounded(bounds) || tcp.has(key) ? [] : [service];
  });
}

/** By what a view knows a TCP port. */
export function tcpKeyOf({ host, port }: Pick<TcpPort, 'host' | 'port'>): string {
  return `${host}:${port}`;
}
