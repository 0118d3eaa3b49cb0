/** Each kind of probe against a real server, or a real program. */
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import type { WorkloadProbe } from '@hawser/wire/workload-health.ts';
import { afterEach, describe, expect, it } from 'vitest';
import { createTrustDomain } from '../../../../../test/datapath/kit/pki.ts';
import { framed } from './grpc-frames.ts';
import { makeProbe } from './probes.ts';

const ADDRESS = '127.89.2.1';
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server, address = ADDRESS): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return (server.address() as AddressInfo).port;
}

/** `ready`, or why not. */
async function outcome(probe: WorkloadProbe, { timeoutMs = 10_000, allowExec = true } = {}): Promise<string> {
  try {
    await makeProbe(probe, { address: ADDRESS, allowExec, timeoutMs });
    return 'ready';
  } catch (error) {
    return (error as Error).message;
  }
}

const answering: RequestListener = ({ url = '', headers }, response) => {
  if (url === '/hang') return;
  response.statusCode = url === '/headers' ? (headers['x-a'] === 'b' && headers.host === 'mine' ? 200 : 400) : Number(url.slice(1));
  response.end();
};

describe('httpGet', () => {
  it.each([
    ['/200', 'ready'],
    ['/302', 'ready'],
    ['/404', 'it answered 404'],
    ['/503', 'it answered 503'],
  ])('%s: %s', async (path, expected) => {
    expect(await outcome({ httpGet: { port: await listening(createServer(answering)), path } })).toBe(expected);
  });

  it('sends its headers, the host too', async () => {
    const httpHeaders = [
      { name: 'X-A', value: 'b' },
      { name: 'Host', value: 'mine' },
    ];
    expect(await outcome({ httpGet: { port: await listening(createServer(answering)), path: '/headers', httpHeaders } })).toBe('ready');
  });

  it('asks another host where it names one', async () => {
    const host = '127.89.2.2';
    const port = await listening(createServer(answering), host);
    expect(await outcome({ httpGet: { port, host, path: '/200' } })).toBe('ready');
    expect(await outcome({ httpGet: { port, path: '/200' } })).toContain('ECONNREFUSED');
  });

  it('speaks TLS without verifying anybody', async () => {
    const { certificate, key } = await (await createTrustDomain('probe')).issue('spiffe://probe/app');
    const port = await listening(createHttpsServer({ cert: certificate, key }, answering));
    expect(await outcome({ httpGet: { port, path: '/200', scheme: 'HTTPS' } })).toBe('ready');
    expect(await outcome({ httpGet: { port, path: '/200' } })).not.toBe('ready');
  });

  it('waits no longer than its time limit', async () => {
    const port = await listening(createServer(answering));
    expect(await outcome({ httpGet: { port, path: '/hang' } }, { timeoutMs: 50 })).toBe('no answer in time');
  });
});

describe('tcpSocket', () => {
  it('connects', async () => {
    const server = createTcpServer((socket) => socket.on('error', () => undefined));
    const port = await listening(server);
    expect(await outcome({ tcpSocket: { port } })).toBe('ready');
    expect(await outcome({ tcpSocket: { port, host: '127.89.2.3' } })).toContain('ECONNREFUSED');
  });
});

describe('grpc', () => {
  /** A health service: its answer by the name in the request; `down` has a status of gRPC, `hang` none at all. */
  async function health(): Promise<number> {
    const server = createHttp2Server();
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      const parts: Buffer[] = [];
      stream.on('error', () => undefined);
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const service = Buffer.concat(parts).subarray(7).toString();
        if (service === 'hang') return;
        const isHealth = headers[':path'] === '/grpc.health.v1.Health/Check' && headers['content-type'] === 'application/grpc';
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': isHealth && service !== 'down' ? '0' : '5' }));
        stream.end(service === 'down' ? Buffer.alloc(0) : framed(Buffer.from([0x08, service === 'out' ? 2 : 1])));
      });
    });
    return listening(server);
  }

  it.each([
    ['', 'ready'],
    ['reviews', 'ready'],
    ['out', 'the server says NOT_SERVING'],
    ['down', 'grpc-status 5'],
  ])('of %j: %s', async (service, expected) => {
    expect(await outcome({ grpc: { port: await health(), service } })).toBe(expected);
  });

  it('waits no longer than its time limit, and is refused where nobody listens', async () => {
    const port = await health();
    expect(await outcome({ grpc: { port, service: 'hang' } }, { timeoutMs: 100 })).toBe('no answer in time');
    expect(await outcome({ grpc: { port: 1 } })).toContain('ECONNREFUSED');
  });
});

describe('exec', () => {
  const node = (script: string): WorkloadProbe => ({ exec: { command: [process.execPath, '-e', script] } });

  it('is ready when the command ends with 0', async () => {
    expect(await outcome(node('process.exit(0)'))).toBe('ready');
    expect(await outcome(node('process.exit(3)'))).toBe(`${process.execPath} ended with 3`);
    expect(await outcome({ exec: { command: ['/no/such/program'] } })).toContain('ENOENT');
  });

  it('ends a command that takes too long', async () => {
    expect(await outcome(node('setInterval(() => undefined, 1000)'), { timeoutMs: 200 })).toBe(`${process.execPath} did not end in time`);
  });

  it('runs nothing where the machine’s own operator did not allow it', async () => {
    expect(await outcome(node('process.exit(0)'), { allowExec: false })).toContain('--exec-probe');
  });

  it('gives the command nothing of Hawser’s environment', async () => {
    process.env['HAWSER_PROBE_TEST'] = 'secret';
    try {
      expect(await outcome(node('process.exit(process.env.HAWSER_PROBE_TEST === undefined ? 0 : 1)'))).toBe('ready');
    } finally {
      delete process.env['HAWSER_PROBE_TEST'];
    }
  });
});
