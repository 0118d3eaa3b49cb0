/** A peer that is no Envoy: speaks mTLS and HTTP/2 to a sidecar or a gateway with whatever identity it is given. */
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectTls } from 'node:tls';
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

/** Where a caller goes through a gateway: into a tunnel, and by mTLS within it to a server of this name. */
export interface Within {
  readonly authority: string;
  readonly endpoint: string;
  readonly servername: string;
}

/** Says a line to a port of TCP through a tunnel: what comes back, `refused` when the tunnel or the connection within it was cut. */
export function sayWithin(gateway: string, identity: Identity, { authority, endpoint, servername }: Within): Promise<string> {
  const { certificate: cert, key } = identity;
  const session = connect(`https://${gateway}:15443`, { servername: 'gateway', rejectUnauthorized: false, cert, key });
  return new Promise((resolve) => {
    const done = (result: string): void => {
      resolve(result);
      session.destroy();
    };
    session.on('error', () => done('refused'));
    const header = Buffer.from(endpoint).toString('base64');
    const stream = session.request({ ':method': 'CONNECT', ':authority': authority, 'x-hawser-endpoint': header }, { endStream: false });
    stream.on('error', () => done('refused'));
    stream.on('response', ({ ':status': status }) => {
      if (status !== 200) return done(String(status));
      const inner = connectTls({ socket: stream, servername, rejectUnauthorized: false, cert, key }, () => inner.write('hello\n'));
      let text = '';
      inner.on('data', (part: Buffer) => {
        text += part.toString();
        if (text.endsWith('hello\n')) done(text);
      });
      inner.on('error', () => done('refused'));
      inner.on('close', () => done('refused'));
    });
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
