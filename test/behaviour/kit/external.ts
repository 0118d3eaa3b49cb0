/** Servers outside of the mesh: applications without a sidecar, and a DNS that knows them. */
import { createServer } from 'node:http';
import { createTrustDomain } from '../../datapath/kit/pki.ts';
import { type DnsServer, startDnsServer } from '../../kit/dns-server.ts';
import { type EchoApp, startEchoApp } from './echo-app.ts';
import { policy } from './rig.ts';

/** The servers `ext-a`, `ext-b` and `ext-c` by name, and the DNS. */
export interface External {
  readonly dns: DnsServer;
  readonly apps: Readonly<Record<string, EchoApp>>;
  /** Address of a server. */
  at(name: string): string;
  stop(): Promise<void>;
}

/** Starts them at 51, 52 and 53 of `127.81.NET`. */
export async function startExternal(net: number): Promise<External> {
  const identity = await (await createTrustDomain('external')).issue('spiffe://external/app');
  const dns = await startDnsServer('127.0.0.1');
  const names = ['ext-a', 'ext-b', 'ext-c'];
  const started = await Promise.all(names.map((name, index) => startEchoApp(name, `127.81.${net}.${51 + index}`, identity)));
  const apps = Object.fromEntries(started.map((app) => [app.name, app]));
  return {
    ...{ dns, apps },
    at: (name) => apps[name]?.address ?? '',
    stop: async () => {
      await Promise.all([dns.stop(), ...started.map((app) => app.stop())]);
    },
  };
}

/** A server behind a Unix socket. */
export async function startSocketApp(path: string, name: string): Promise<() => Promise<void>> {
  const server = createServer((_request, response) => void response.writeHead(200, { 'x-served-by': name }).end(name));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return () => new Promise((resolve) => server.close(() => resolve()));
}

/** A ServiceEntry for `api.example.com`, port 80 of HTTP led to 9080, unless the spec says otherwise. */
export function entry(spec: Readonly<Record<string, unknown>>, name = 'entry'): ReturnType<typeof policy> {
  const ports = [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: 9080 }];
  return policy('ServiceEntry', { hosts: ['api.example.com'], location: 'MESH_EXTERNAL', resolution: 'STATIC', ports, ...spec }, { name });
}
