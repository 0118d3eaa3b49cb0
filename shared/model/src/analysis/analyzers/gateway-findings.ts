/** Gateways, and VirtualServices that are bound to them. */
import type { GatewayServers, GatewaySpec, VirtualServiceSpec } from '../../istio/specs.ts';
import { type Finding, finding } from '../finding.ts';
import { keyOf, namesOf } from '../hosts.ts';
import type { Subject } from '../subject.ts';
import { byAge, type World } from '../world.ts';

type Gateway = Subject<GatewaySpec>;

/** HW0601, HW0604, HW0605, HW0606. */
export function gatewayFindings(subject: Gateway, world: World): Finding[] {
  return [...unselected(subject, world), ...portConflicts(subject, world), ...unbound(subject, world)];
}

function unselected(subject: Gateway, world: World): Finding[] {
  const { edges } = world.facts;
  const { selector = {} } = subject.spec;
  if (edges === undefined || edges.some(({ labels }) => hasAll(labels, selector))) return [];
  const wanted = Object.entries(selector)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
  const known =
    edges.length === 0
      ? 'no edge proxy is connected'
      : `there are ${edges
          .slice(0, 5)
          .map(({ name }) => name)
          .join(', ')}`;
  return [finding('HW0601', { at: subject, field: 'spec.selector' }, `no edge proxy has ${wanted || 'any labels'}; ${known}`)];
}

function portConflicts(subject: Gateway, world: World): Finding[] {
  const older = world
    .of<GatewaySpec>('Gateway')
    .filter((other) => other.key !== subject.key && byAge(other, subject) < 0 && mayMeet(other, subject));
  return (subject.spec.servers ?? []).flatMap((server, index) => {
    const rivals = [
      ...older.flatMap((gateway) => (gateway.spec.servers ?? []).map((other) => ({ who: gateway.key, other }))),
      ...(subject.spec.servers ?? []).slice(0, index).map((other, at) => ({ who: `spec.servers[${at}]`, other })),
    ].filter(({ other }) => other.port.number === server.port.number && (other.bind ?? '') === (server.bind ?? ''));
    return conflictWith(subject, { server, index }, rivals);
  });
}

interface Rival {
  readonly who: string;
  readonly other: GatewayServers;
}

function conflictWith(subject: Gateway, { server, index }: { server: GatewayServers; index: number }, rivals: readonly Rival[]): Finding[] {
  const at = `spec.servers[${index}]`;
  const foreign = rivals.find(({ other }) => family(other) !== family(server));
  if (foreign !== undefined) {
    const message = `${foreign.who} has port ${server.port.number} for ${foreign.other.port.protocol} already, and it wins`;
    return [finding('HW0604', { at: subject, field: `${at}.port` }, message)];
  }
  const shared = rivals.flatMap(({ who, other }) =>
    server.hosts.filter((host) => other.hosts.includes(host)).map((host) => ({ who, host })),
  );
  const [first] = shared;
  if (first === undefined) return [];
  return [finding('HW0605', { at: subject, field: `${at}.hosts` }, `${first.who} serves ${first.host} at port ${server.port.number} too`)];
}

/** Protocols of one family share a port: plain HTTP, what is picked by server name, and TCP. */
function family({ port, tls }: GatewayServers): string {
  const protocol = port.protocol.toUpperCase();
  if (protocol === 'HTTPS' || protocol === 'TLS' || tls?.mode !== undefined) return 'TLS';
  return ['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB'].includes(protocol) ? 'HTTP' : protocol;
}

/** One proxy may be selected by both: no label is wanted with two values. */
function mayMeet(a: Gateway, b: Gateway): boolean {
  const other = b.spec.selector ?? {};
  return Object.entries(a.spec.selector ?? {}).every(([name, value]) => other[name] === undefined || other[name] === value);
}

function unbound(subject: Gateway, world: World): Finding[] {
  const servers = subject.spec.servers ?? [];
  const needs = servers.some(({ tls }) => tls?.mode !== 'AUTO_PASSTHROUGH' && tls?.httpsRedirect !== true);
  const full = `${subject.namespace}/${subject.name}`;
  const bound = world.of<VirtualServiceSpec>('VirtualService').some((one) => gatewayNames(one).some(({ name }) => name === full));
  return bound || !needs
    ? []
    : [finding('HW0606', { at: subject, field: '' }, 'no VirtualService names it, so its requests are answered with 404')];
}

/** HW0602, HW0603. */
export function boundGateways(subject: Subject<VirtualServiceSpec>, world: World): Finding[] {
  return gatewayNames(subject).flatMap(({ name, field }) => {
    const [namespace = '', gateway = ''] = name.split('/');
    const target = world.get<GatewaySpec>('Gateway', namespace, gateway);
    if (target === undefined) return [finding('HW0602', { at: subject, field }, `there is no Gateway ${name}`)];
    if (!field.startsWith('spec.gateways')) return [];
    return (subject.spec.hosts ?? []).flatMap((host, index) =>
      isServed(host, subject, target)
        ? []
        : [
            finding(
              'HW0603',
              { at: subject, field: `spec.hosts[${index}]` },
              `the Gateway ${name} does not serve ${host}; it serves ${servedText(target)}`,
            ),
          ],
    );
  });
}

/** Full names of the gateways that it names, `mesh` left out. */
function gatewayNames({ spec, namespace }: Subject<VirtualServiceSpec>): readonly { readonly name: string; readonly field: string }[] {
  const inMatches = (spec.http ?? []).flatMap(({ match }, rule) =>
    (match ?? []).flatMap(({ gateways }, at) =>
      (gateways ?? []).map((name, index) => ({ name, field: `spec.http[${rule}].match[${at}].gateways[${index}]` })),
    ),
  );
  const all = [...(spec.gateways ?? []).map((name, index) => ({ name, field: `spec.gateways[${index}]` })), ...inMatches];
  return all
    .filter(({ name }) => name !== 'mesh')
    .map(({ name, field }) => ({ name: name.includes('/') ? name : `${namespace}/${name}`, field }));
}

function isServed(host: string, { namespace }: Subject, gateway: Gateway): boolean {
  const names = namesOf(keyOf(host, namespace));
  return (gateway.spec.servers ?? []).some(({ hosts }) =>
    hosts.some((pattern) => {
      const [from, bare] = pattern.includes('/')
        ? [pattern.slice(0, pattern.indexOf('/')), pattern.slice(pattern.indexOf('/') + 1)]
        : ['*', pattern];
      const isFrom = from === '*' || (from === '.' ? gateway.namespace : from) === namespace;
      return isFrom && names.concat(host).some((name) => fits(bare, name) || fits(name, bare));
    }),
  );
}

/** `*.a.b` takes any name that ends so; a wildcard host meets a server that is narrower. */
function fits(pattern: string, name: string): boolean {
  return pattern === '*' || pattern === name || (pattern.startsWith('*.') && name.endsWith(pattern.slice(1)));
}

function servedText({ spec }: Gateway): string {
  return [...new Set((spec.servers ?? []).flatMap(({ hosts }) => hosts))].slice(0, 5).join(', ') || 'nothing';
}

function hasAll(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}
