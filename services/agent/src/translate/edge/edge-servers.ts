/** What the Gateways that select one proxy make it listen for, port by port: several Gateways may share one. Pure. */
import type { GatewayServers } from '@hawser/model/istio/specs.ts';
import { PORTS } from '@hawser/model/ports.ts';
import type { RuleProblem } from '../routes/rule-problems.ts';
import { hostPort } from '../wire-values.ts';
import type { EdgeGateway } from './edge-index.ts';
import { isHostPattern, type ServerHost, serverHost } from './host-names.ts';

/** What a server does with a connection. */
export type ServerKind = 'http' | 'https' | 'tls-tcp' | 'passthrough' | 'auto-passthrough' | 'tcp';

/** One server of a Gateway. */
export interface EdgeServer {
  readonly gateway: EdgeGateway;
  /** Its field: `spec.servers[0]`. */
  readonly field: string;
  readonly spec: GatewayServers;
  readonly kind: ServerKind;
  /** The hosts it serves here: those that an older server has on this port are left out. */
  readonly hosts: readonly ServerHost[];
}

/** One listening socket, and the servers behind it, the oldest Gateway's first. */
export interface EdgePort {
  /** Envoy's name for the listener. */
  readonly name: string;
  /** An IP address, or the path of a Unix domain socket (`@NAME`: an abstract one). */
  readonly bind: string;
  readonly port: number;
  /** The port as rules know it. */
  readonly number: number;
  readonly servers: readonly EdgeServer[];
}

/** How connections are told apart: by nothing but HTTP, by the server name of TLS, or not at all. */
type PortForm = 'plain HTTP' | 'TLS' | 'TCP';

/** Puts servers together. What conflicts with an older server is left out and told. */
export function edgePorts(gateways: readonly EdgeGateway[], address: string): { ports: EdgePort[]; problems: RuleProblem[] } {
  const problems: RuleProblem[] = [];
  const ports = new Map<string, EdgePort & { servers: EdgeServer[] }>();
  for (const gateway of gateways) {
    for (const [index, spec] of (gateway.spec.servers ?? []).entries()) {
      const field = `spec.servers[${index}]`;
      const tell = (below: string, message: string): void =>
        void problems.push({ policy: gateway.policy, field: `${field}${below}`, message });
      const socket = socketOf(spec, address);
      const kind = kindOf(spec);
      if (typeof kind !== 'string') tell(kind.field, `${kind.message}: nothing listens for it`);
      else if ('message' in socket) tell('.port.number', socket.message);
      else {
        const port = ports.get(socket.name) ?? { ...socket, servers: [] };
        const conflict = conflictOf(port, socket.number, kind);
        if (conflict !== undefined) tell('.port', conflict);
        const hosts = conflict === undefined ? freeHosts(port.servers, { gateway, spec, kind }, tell) : [];
        if (hosts.length > 0) ports.set(socket.name, { ...port, servers: [...port.servers, { gateway, field, spec, kind, hosts }] });
      }
    }
  }
  return { ports: [...ports.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), problems };
}

/** Ports of the proxy itself, on its own address. */
const TAKEN: readonly number[] = [PORTS.envoyAdmin, PORTS.outbound, PORTS.inbound, PORTS.health, PORTS.stats];

function socketOf(spec: GatewayServers, address: string): Omit<EdgePort, 'servers'> | { readonly message: string } {
  const { number } = spec.port;
  const path = unixPath(spec.bind ?? '');
  if (path !== undefined) return { name: `edge|${path}`, bind: path, port: 0, number };
  const port = spec.port.targetPort ?? number;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return { message: `${port} is no port: nothing listens for it` };
  if (TAKEN.includes(port)) return { message: `port ${port} is the proxy's own: nothing listens for it` };
  const bind = spec.bind === undefined || spec.bind === '' ? address : spec.bind;
  return { name: `edge|${hostPort(bind, port)}`, bind, port, number };
}

/** `unix:///PATH`, `unix://@NAME` or an absolute path. */
function unixPath(bind: string): string | undefined {
  if (bind.startsWith('unix://')) return bind.slice('unix://'.length);
  return bind.startsWith('/') || bind.startsWith('@') ? bind : undefined;
}

const HTTP = ['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB', 'GRPCWEB', 'HTTP_PROXY'];

function kindOf({ port, tls }: GatewayServers): ServerKind | { readonly field: string; readonly message: string } {
  const protocol = port.protocol.toUpperCase();
  if (HTTP.includes(protocol)) return 'http';
  if (protocol === 'UDP') return { field: '.port.protocol', message: 'Gateways carry no UDP' };
  const isTls = protocol === 'HTTPS' || protocol === 'TLS';
  if (tls === undefined) return isTls ? { field: '.tls', message: `a server of ${protocol} needs its TLS settings` } : 'tcp';
  // PASSTHROUGH is what Istio's API means when no mode is given.
  const mode = tls.mode ?? 'PASSTHROUGH';
  if (mode === 'PASSTHROUGH') return 'passthrough';
  if (mode === 'AUTO_PASSTHROUGH') return 'auto-passthrough';
  return protocol === 'HTTPS' ? 'https' : 'tls-tcp';
}

function formOf(kind: ServerKind): PortForm {
  return kind === 'http' ? 'plain HTTP' : kind === 'tcp' ? 'TCP' : 'TLS';
}

function conflictOf(port: EdgePort, number: number, kind: ServerKind): string | undefined {
  const [first] = port.servers;
  if (first === undefined) return undefined;
  const form = formOf(first.kind);
  const owner = `${first.gateway.policy} ${first.field}`;
  if (form !== formOf(kind)) return `${owner} has this port for ${form}, and was there first: nothing listens for this one`;
  return number === port.number ? undefined : `${owner} listens here as port ${port.number}: nothing listens for this one`;
}

type Candidate = Pick<EdgeServer, 'gateway' | 'spec' | 'kind'>;

/** TLS is told apart by server name, so that a name belongs to one server; hosts of plain HTTP are merged. */
function freeHosts(
  before: readonly EdgeServer[],
  { gateway, spec, kind }: Candidate,
  tell: (field: string, message: string) => void,
): ServerHost[] {
  const taken = new Map(formOf(kind) === 'TLS' ? before.flatMap((server) => server.hosts.map(({ host }) => [host, server])) : []);
  return spec.hosts.flatMap((text, index) => {
    const one = serverHost(text, gateway.namespace);
    const owner = taken.get(one.host);
    if (!isHostPattern(one.host)) tell(`.hosts[${index}]`, `${JSON.stringify(text)} is no host: it is left out`);
    else if (owner !== undefined)
      tell(`.hosts[${index}]`, `${owner.gateway.policy} ${owner.field} serves ${one.host} on this port, and was there first`);
    else return [one];
    return [];
  });
}
