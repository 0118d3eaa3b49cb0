/** One `GET /` over TLS, and what was seen of the connection. */
import { Agent, request } from 'node:https';
import type { TLSSocket } from 'node:tls';

/** What came back. */
export interface TlsAnswer {
  /** Status and text, such as `200 reached`. */
  readonly body: string;
  /** `subjectAltName` of the server's certificate. */
  readonly identity: string | undefined;
  readonly serialNumber: string | undefined;
  /** The client's port: the same one is the same connection. */
  readonly localPort: number | undefined;
}

/** Identities are SPIFFE IDs, which no host name matches. */
const anyIdentity = (): undefined => undefined;

/** Opens a connection for each request, and resumes no session; servers must prove to be of these roots. */
export function newConnections(ca: readonly string[]): Agent {
  return new Agent({ ca: [...ca], checkServerIdentity: anyIdentity, maxCachedSessions: 0 });
}

/** Keeps one connection open and uses it again and again. */
export function oneConnection(ca: readonly string[]): Agent {
  return new Agent({ ca: [...ca], checkServerIdentity: anyIdentity, maxCachedSessions: 0, keepAlive: true, maxSockets: 1 });
}

/** Asks 127.0.0.1; rejects when the handshake or the connection fails. */
export function tlsGet(port: number, agent: Agent): Promise<TlsAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, agent }, (response) => {
      const socket = response.socket as TLSSocket;
      const certificate = socket.getPeerX509Certificate();
      const seen = { identity: certificate?.subjectAltName, serialNumber: certificate?.serialNumber, localPort: socket.localPort };
      let body = `${response.statusCode} `;
      response.on('data', (text) => {
        body += String(text);
      });
      response.on('end', () => resolve({ body, ...seen }));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}
