/** What Istio's names of protocols are to us. Pure. */
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';

/** The protocol of a port as a policy writes it; without one, the first word of the port's name counts. */
export function protocolOf({
  protocol,
  name = '',
}: {
  readonly protocol?: string | undefined;
  readonly name?: string | undefined;
}): Pick<ServicePort, 'protocol' | 'application'> {
  const word = (protocol || (name.split('-')[0] ?? '')).toUpperCase();
  if (word === 'HTTP') return { protocol: 'http' };
  if (word === 'HTTP2' || word === 'GRPC') return { protocol: 'http2' };
  if (word === 'GRPC-WEB') return { protocol: 'http2', application: 'grpc-web' };
  return word === 'TLS' || word === 'HTTPS' ? { protocol: 'tcp', application: 'tls' } : { protocol: 'tcp' };
}
