/** A TCP proxy that can delay, cut and refuse: what stands between an agent and NATS when their network is not good. */
import { connect, createServer, type Socket } from 'node:net';
import { freePort } from './ports.ts';

/** A running proxy. */
export interface FaultProxy {
  readonly port: number;
  /** Every chunk waits this long, milliseconds, in each direction; order stays. */
  delayMs: number;
  /** Cuts every connection, and refuses new ones, until `heal`. */
  cut(): void;
  heal(): void;
  stop(): Promise<void>;
}

/** Starts a proxy to a port of 127.0.0.1. */
export async function startFaultProxy(target: number): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const forward = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('data', (chunk) => void setTimeout(() => to.writable && to.write(chunk), proxy.delayMs));
    from.on('error', () => undefined);
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  const server = createServer((client) => {
    if (isCut) return void client.destroy();
    const upstream = connect({ host: '127.0.0.1', port: target });
    forward(client, upstream);
    forward(upstream, client);
  });
  const port = await freePort();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const dropAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const proxy: FaultProxy = {
    port,
    delayMs: 0,
    cut: () => {
      isCut = true;
      dropAll();
    },
    heal: () => {
      isCut = false;
    },
    stop: () =>
      new Promise((resolve) => {
        dropAll();
        server.close(() => resolve());
      }),
  };
  return proxy;
}
