/** Ports of services: clusters that disagree, names that lie, rules for another protocol. */
import type { ServiceEntrySpec, VirtualServiceSpec } from '../../istio/specs.ts';
import type { KnownService, KnownShard } from '../facts.ts';
import { type Finding, finding } from '../finding.ts';
import { hostText, keyOf } from '../hosts.ts';
import type { Subject } from '../subject.ts';
import type { World } from '../world.ts';

type Port = KnownShard['ports'][number];

/** What the first word of a port's name says, by Istio's protocol selection, in the words of shards. */
const SAID: Readonly<Record<string, string>> = {
  ...{ http: 'http', http2: 'http2', grpc: 'http2', 'grpc-web': 'http', tcp: 'tcp', tls: 'tcp', https: 'tcp', mongo: 'tcp', mysql: 'tcp' },
  ...{ redis: 'tcp', postgres: 'tcp', kafka: 'tcp', udp: 'udp' },
};

/** Ports by which other protocols than HTTP are known. */
const WELL_KNOWN: Readonly<Record<number, string>> = {
  ...{ 22: 'SSH', 25: 'SMTP', 1433: 'SQL Server', 3306: 'MySQL', 5432: 'PostgreSQL', 5672: 'AMQP', 6379: 'Redis', 9042: 'Cassandra' },
  ...{ 9092: 'Kafka', 11211: 'memcached', 27017: 'MongoDB' },
};

/** HW0401, HW0402, HW0403 of a service as clusters publish it. */
export function servicePorts(service: KnownService): Finding[] {
  const at = { kind: 'Service', namespace: service.namespace, name: service.service };
  const numbers = [...new Set(service.shards.flatMap(({ ports }) => ports.map(({ port }) => port)))].sort((a, b) => a - b);
  return numbers.flatMap((number) => {
    const seen = service.shards.flatMap(({ cluster, ports }) =>
      ports.filter(({ port }) => port === number).map((port) => ({ cluster, port })),
    );
    const [first] = seen;
    if (first === undefined) return [];
    const other = seen.find(({ port }) => port.protocol !== first.port.protocol || port.name !== first.port.name);
    const place = { at, field: `ports[${number}]` };
    return [
      ...(other === undefined
        ? []
        : [finding('HW0401', place, `${first.cluster} has ${portText(first.port)}, ${other.cluster} has ${portText(other.port)}`)]),
      ...nameFindings(place, first.port),
    ];
  });
}

function nameFindings(place: Parameters<typeof finding>[1], { name, port, protocol }: Port): Finding[] {
  const said = name === undefined ? undefined : saidBy(name);
  if (said !== undefined && said !== protocol && !(said === 'http' && protocol === 'http2'))
    return [finding('HW0402', place, `is called ${name}, and speaks ${protocol}`)];
  const known = WELL_KNOWN[port];
  if (known === undefined || said !== undefined || protocol === 'tcp') return [];
  return [finding('HW0403', place, `is the port of ${known}, and is taken for ${protocol}`)];
}

/** HW0402 of a ServiceEntry. */
export function entryPorts(subject: Subject<ServiceEntrySpec>): Finding[] {
  return (subject.spec.ports ?? []).flatMap(({ name, protocol }, index) => {
    const said = saidBy(name);
    const spoken = protocol === undefined ? undefined : SAID[protocol.toLowerCase()];
    if (said === undefined || spoken === undefined || said === spoken || (said === 'http' && spoken === 'http2')) return [];
    return [finding('HW0402', { at: subject, field: `spec.ports[${index}].name` }, `is called ${name}, and speaks ${protocol}`)];
  });
}

/** HW0404. */
export function rulesForProtocol(subject: Subject<VirtualServiceSpec>, world: World): Finding[] {
  const { hosts = [], http = [], tcp = [], gateways = [] } = subject.spec;
  // At gateways it is the Gateway that says which protocol is spoken.
  if (gateways.length > 0) return [];
  return hosts.flatMap((host, index) => {
    const ports = world.services?.get(keyOf(host, subject.namespace))?.shards.flatMap((shard) => shard.ports) ?? [];
    if (ports.length === 0) return [];
    const speaks = [...new Set(ports.map(({ protocol }) => protocol))].join(' and ');
    const place = { at: subject, field: `spec.hosts[${index}]` };
    if (http.length > 0 && ports.every(({ protocol }) => protocol === 'tcp'))
      return [
        finding('HW0404', place, `${hostText(keyOf(host, subject.namespace))} speaks ${speaks} alone: its http rules see no request`),
      ];
    if (http.length > 0 || tcp.length === 0 || ports.some(({ protocol }) => protocol === 'tcp')) return [];
    return [
      finding('HW0404', place, `${hostText(keyOf(host, subject.namespace))} speaks ${speaks} alone: its tcp rules see no connection`),
    ];
  });
}

function saidBy(name: string): string | undefined {
  return SAID[name] ?? SAID[/^grpc-web(-|$)/.test(name) ? 'grpc-web' : (name.split('-')[0] ?? '')];
}

function portText({ name, protocol }: Port): string {
  return `${name ?? 'no name'} (${protocol})`;
}
