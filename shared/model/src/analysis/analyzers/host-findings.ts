/** Hosts and ports that policy names and nothing has. */
import type { DestinationRuleSpec, VirtualServiceSpec } from '../../istio/specs.ts';
import { destinationsOf, isForMesh } from '../destinations.ts';
import { type Finding, finding } from '../finding.ts';
import { hostText, keyOf } from '../hosts.ts';
import type { Subject } from '../subject.ts';
import type { World } from '../world.ts';

/** HW0101, HW0103, HW0104. */
export function virtualServiceHosts(subject: Subject<VirtualServiceSpec>, world: World): Finding[] {
  const { spec, namespace } = subject;
  const hosts = isForMesh(spec.gateways) ? (spec.hosts ?? []) : [];
  return [
    ...hosts.flatMap((host, index) =>
      world.presence(keyOf(host, namespace)) === 'nothing'
        ? [
            finding(
              'HW0101',
              { at: subject, field: `spec.hosts[${index}]` },
              `nothing has the host ${host}${suggestion(host, subject, world)}`,
            ),
          ]
        : [],
    ),
    ...destinationsOf(spec).flatMap((one) => destinationFindings(subject, one, world)),
  ];
}

/** HW0102. */
export function destinationRuleHost(subject: Subject<DestinationRuleSpec>, world: World): Finding[] {
  const { host } = subject.spec;
  if (world.presence(keyOf(host, subject.namespace)) !== 'nothing') return [];
  return [finding('HW0102', { at: subject, field: 'spec.host' }, `nothing has the host ${host}${suggestion(host, subject, world)}`)];
}

function destinationFindings(subject: Subject, { field, destination }: ReturnType<typeof destinationsOf>[number], world: World): Finding[] {
  const { host, port } = destination;
  const key = keyOf(host, subject.namespace);
  if (world.presence(key) === 'nothing')
    return [finding('HW0103', { at: subject, field: `${field}.host` }, `nothing has the host ${host}${suggestion(host, subject, world)}`)];
  const service = world.services?.get(key);
  const ports = [...new Set(service?.shards.flatMap((shard) => shard.ports.map((one) => one.port)))].sort((a, b) => a - b);
  if (service === undefined || port?.number === undefined || ports.includes(port.number)) return [];
  const message = `${hostText(key)} has no port ${port.number}; it has ${ports.join(', ') || 'none'}`;
  return [finding('HW0104', { at: subject, field: `${field}.port.number` }, message)];
}

/** The same name in another namespace, which is what was meant most of the time. */
function suggestion(host: string, { namespace }: Subject, world: World): string {
  const [service = host, inNamespace = namespace] = host.split('.');
  const elsewhere = [...(world.services?.keys() ?? [])].filter((key) => key.endsWith(`/${service}`) && key !== `${inNamespace}/${service}`);
  return elsewhere.length === 0 ? '' : `; there is ${elsewhere.slice(0, 5).map(hostText).join(', ')}`;
}
