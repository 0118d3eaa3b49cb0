/** A peer that is no Envoy: speaks mTLS and HTTP/2 to a sidecar or a gateway with whatever identity it is given. */
import { connect, type IncomingHttpHeaders } from 'node:http2';
import type { Identity } from './pki.ts';

export interface PeerRequest {
  readonly address: string;
  readonly port: number;
  readonly identity: Identity | undefined;
  readonly servername: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The status of the answer, or `refused` when the connection or the stream was cut. */
export function ask({ address, port, identity, servername, headers }: PeerRequest): Promise<number | 'refused'> {
  return new Promise((resolve) => {
    const session = connect(`https://${address}:${port}`, {
      servername,
      rejectUnauthorized: false,
      // Weak certificates are the other side's to refuse.
      ciphers: 'DEFAULT@SECLEVEL=0',
      ...(identity === undefined ? {} : { cert: identity.certificate, key: identity.key }),
    });
    const done = (result: number | 'refused'): void => {
      resolve(result);
      session.destroy();
    };
    session.on('error', () => done('refused'));
    session.on('close', () => done('refused'));
    const stream = session.request(headers, { endStream: headers[':method'] !== 'CONNECT' });
    stream.on('response', (answer: IncomingHttpHeaders) => done(Number(answer[':status'])));
    stream.on('error', () => done('refused'));
    stream.on('close', () => done('refused'));
  });
}

/** Asks a gateway for a tunnel to an endpoint. */
export function askTunnel(
  gateway: string,
  identity: Identity | undefined,
  to: { authority: string; endpoint?: string },
): Promise<number | 'refused'> {
  const endpoint = to.endpoint === undefined ? {} : { 'x-hawser-endpoint': Buffer.from(to.endpoint).toString('base64') };
  const headers = { ':method': 'CONNECT', ':authority': to.authority, ...endpoint };
  return ask({ address: gateway, port: 15443, identity, servername: 'gateway', headers });
}
