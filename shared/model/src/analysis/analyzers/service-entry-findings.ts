/** ServiceEntries against each other, the services of clusters and the workloads that they select. */
import type { ServiceEntrySpec, WorkloadEntrySpec } from '../../istio/specs.ts';
import { type Exporting, isSeenFrom } from '../exported.ts';
import { type Finding, finding } from '../finding.ts';
import { hostText, keyOf } from '../hosts.ts';
import type { Subject } from '../subject.ts';
import { byAge, type World } from '../world.ts';

type ServiceEntry = Subject<ServiceEntrySpec>;

/** HW0801, HW0802, HW0803, HW0804. */
export function serviceEntryFindings(subject: ServiceEntry, world: World): Finding[] {
  return [...sameHosts(subject, world), ...sameAddresses(subject, world), ...unselected(subject, world)];
}

function sameHosts(subject: ServiceEntry, world: World): Finding[] {
  return subject.spec.hosts.flatMap((host, index) => {
    const key = keyOf(host, subject.namespace);
    const place = { at: subject, field: `spec.hosts[${index}]` };
    if (world.services?.has(key) === true) return [finding('HW0802', place, `clusters export the service ${hostText(key)}`)];
    const older = world
      .forHost<ServiceEntrySpec>('ServiceEntry', key)
      .find((other) => other.key !== subject.key && byAge(other, subject) < 0 && meet(other, subject));
    return older === undefined
      ? []
      : [finding('HW0801', place, `${older.key} has the host ${host} too; it is older and wins where both are seen`)];
  });
}

/** Whether some namespace sees both. */
function meet(a: Exporting, b: Exporting): boolean {
  return [a.namespace, b.namespace, ...(a.spec.exportTo ?? []), ...(b.spec.exportTo ?? [])].some(
    (from) => isSeenFrom(a, from) && isSeenFrom(b, from),
  );
}

function sameAddresses(subject: ServiceEntry, world: World): Finding[] {
  const { addresses = [], ports = [], hosts } = subject.spec;
  if (addresses.length === 0) return [];
  const older = world.of<ServiceEntrySpec>('ServiceEntry').filter((other) => other.key !== subject.key && byAge(other, subject) < 0);
  return addresses.flatMap((address, index) => {
    const rival = older.find(
      ({ spec }) =>
        spec.addresses?.includes(address) === true &&
        sharesTcp(spec.ports ?? [], ports) &&
        !spec.hosts.some((host) => hosts.includes(host)),
    );
    return rival === undefined
      ? []
      : [finding('HW0803', { at: subject, field: `spec.addresses[${index}]` }, `${rival.key} has ${address} and a port of these too`)];
  });
}

/** HTTP is told apart by its host; anything else by address and port alone. */
function sharesTcp(a: NonNullable<ServiceEntrySpec['ports']>, b: NonNullable<ServiceEntrySpec['ports']>): boolean {
  const isHttp = (protocol = 'TCP'): boolean => /^(HTTP|HTTP2|GRPC|GRPC-WEB)$/i.test(protocol);
  return a.some((one) => b.some((other) => one.number === other.number && !(isHttp(one.protocol) && isHttp(other.protocol))));
}

function unselected(subject: ServiceEntry, world: World): Finding[] {
  const wanted = Object.entries(subject.spec.workloadSelector?.labels ?? {});
  if (wanted.length === 0) return [];
  const entries = world.of<WorkloadEntrySpec>('WorkloadEntry').filter(({ namespace }) => namespace === subject.namespace);
  if (entries.some(({ spec }) => wanted.every(([name, value]) => spec.labels?.[name] === value))) return [];
  const text = wanted.map(([name, value]) => `${name}=${value}`).join(',');
  return [
    finding('HW0804', { at: subject, field: 'spec.workloadSelector.labels' }, `no WorkloadEntry of ${subject.namespace} has ${text}`),
  ];
}
