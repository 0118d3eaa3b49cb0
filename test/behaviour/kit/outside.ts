/** What captured workloads find that is not of the mesh, on one address. */
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createServer as createTcpServer, type Server } from 'node:net';
import { startResolver } from '@hawser/cli/proxy/names/resolver.ts';
import { createTrustDomain } from '../../datapath/kit/pki.ts';
import type { Namespace } from './namespaces.ts';

/** Starts a DNS server that knows `outside.test`, a web server (8080, by TLS 8443), and one that speaks first (2525); returns how to stop them. */
export async function startOutside(host: string): Promise<() => Promise<unknown>> {
  const table = {
    ...{ zones: [], names: new Map([['outside.test', [host]]]), above: new Set<string>() },
    ...{ services: new Map(), brief: new Set<string>() },
  };
  const dns = await startResolver({ addresses: [host], port: 53, resolvers: () => [], table: () => table });
  const web = createServer((request, response) => response.end(`outside ${request.headers.host}\n`));
  const greeter = createTcpServer((socket) => void socket.on('error', () => socket.destroy()).end('greetings\n'));
  const { certificate, key } = await (await createTrustDomain('outside')).issue('spiffe://outside/web');
  const secure = createSecureServer({ cert: certificate, key }, (request, response) => response.end(`outside ${request.headers.host}\n`));
  const listening = (server: Server, port: number): Promise<void> =>
    new Promise((resolve, reject) => server.once('error', reject).listen(port, host, () => resolve()));
  await Promise.all([listening(web, 8080), listening(secure, 8443), listening(greeter, 2525)]);
  return () => Promise.all([dns.stop(), closed(web), closed(secure), closed(greeter)]);
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** What a program in a namespace hears of DNS, as JSON: `asked` are calls of Node's promises, by `d`; the code of an error where one fails. */
export async function resolvedIn(namespace: Namespace, ...asked: readonly string[]): Promise<string> {
  const show = `(all) => console.log(JSON.stringify(all)), (error) => console.log(error.code)`;
  const program = `const d = require('dns').promises; Promise.all([${asked.join()}]).then(${show})`;
  return (await namespace.run([process.execPath, '-e', program])).out.trim();
}
