/** Connections of the mesh that a test holds open, whoever it says it is. */
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { openAuthority } from '@hawser/agent/trust/open-authority.ts';

/** One open connection to a server's sidecar. */
export interface HeldCalls {
  /** The status of one more request over it; 0 when it has ended. */
  ask(): Promise<number>;
  readonly hasEnded: boolean;
  end(): void;
}

/** Who calls, by the authority in an identity folder, and where. */
export interface HeldCall {
  readonly identityDir: string;
  readonly trustDomain: string;
  /** Of the server's sidecar. */
  readonly address: string;
  /** `PORT.SERVICE.NAMESPACE`. */
  readonly serverName: string;
}

/** Opens one with a certificate that the authority there issues now; undefined when it is refused. */
export async function holdCalls({ identityDir, trustDomain, address, serverName }: HeldCall): Promise<HeldCalls | undefined> {
  const authority = await openAuthority(identityDir, trustDomain, { replica: 'held-calls' });
  const { certificateChainPem, privateKeyPem } = await authority.issue({ namespace: 'bookinfo', serviceAccount: 'held' });
  const session = connect(`https://${address}:15006`, {
    ...{ servername: serverName, cert: certificateChainPem, key: privateKeyPem },
    // The caller is what is looked at here.
    rejectUnauthorized: false,
  });
  session.on('error', () => undefined);
  const ask = (): Promise<number> => asked(session);
  if ((await ask()) === 0) {
    session.destroy();
    return undefined;
  }
  return {
    ask,
    get hasEnded() {
      return session.destroyed || session.closed;
    },
    end: () => session.destroy(),
  };
}

/** TLS 1.3 tells a client that it is refused when it first reads. */
function asked(session: ClientHttp2Session): Promise<number> {
  return new Promise((resolve) => {
    const settle = (status: number): void => {
      session.off('close', none);
      resolve(status);
    };
    const none = (): void => settle(0);
    if (session.destroyed || session.closed) return none();
    session.once('close', none);
    const request = session.request({ ':path': '/' });
    request.setTimeout(10_000, () => request.close());
    request.on('response', (headers) => settle(headers[':status'] ?? 0));
    request.on('error', none);
    request.on('close', none);
    request.resume();
  });
}

/** Answers what it is told; resolves when it listens. */
export function echoServer(address: string, port: number): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  return new Promise((resolve, reject) => server.once('error', reject).listen(port, address, () => resolve(server)));
}

/** A connection that has been echoed over; undefined when nothing came back within 5 s. */
export async function heldEcho(address: string, port: number): Promise<Socket | undefined> {
  const socket = connectTcp(port, address);
  socket.on('error', () => socket.destroy());
  socket.write('x');
  const echoed = await new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(true));
    socket.once('close', () => resolve(false));
    socket.setTimeout(5_000, () => resolve(false));
  });
  socket.setTimeout(0);
  if (echoed) return socket;
  socket.destroy();
  return undefined;
}
