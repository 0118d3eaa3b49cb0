/** One text for one address: proxies and agents compare addresses as texts. */
import { isIPv6, SocketAddress } from 'node:net';

/**
 * An IP address as Envoy writes it, by which its matchers and sessions know it: IPv6 in lower case, without leading zeros, the longest
 * run of zeros left out (RFC 5952). What is no IPv6 address stays as it is.
 */
export function canonicalIp(text: string): string {
  return isIPv6(text) ? new SocketAddress({ address: text, family: 'ipv6' }).address : text;
}
