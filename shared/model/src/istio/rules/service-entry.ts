/** What a ServiceEntry must be beyond its shape: hosts, ports, and servers that its resolution can find. Pure. */
import { isCidr, isIpAddress } from '../../ip-address.ts';
import { hostKey } from '../../service-host.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { ServiceEntryPorts, ServiceEntrySpec } from '../specs.ts';
import { exportProblems, ISTIO_PROTOCOLS, invalid, labelProblems, rangeProblems, required, type Steps } from './checks.ts';
import { serverProblems } from './workload-entry.ts';

/** Every problem; paths are below the spec. */
export function serviceEntryProblems(spec: ServiceEntrySpec, namespace: string): readonly SchemaProblem[] {
  return [
    ...required(['hosts'], spec.hosts),
    ...required(['ports'], spec.ports),
    ...(spec.hosts ?? []).flatMap((host, index) => hostProblems(['hosts', index], host, { spec, namespace })),
    ...duplicates(spec.hosts ?? [], (host) => host.toLowerCase(), 'hosts'),
    ...(spec.addresses ?? []).flatMap((address, index) => addressProblems(['addresses', index], address, spec)),
    ...(spec.ports ?? []).flatMap((port, index) => portProblems(['ports', index], port, spec)),
    ...duplicates(spec.ports ?? [], ({ number }) => number, 'ports', 'number'),
    ...duplicates(spec.ports ?? [], ({ name }) => name, 'ports', 'name'),
    ...resolutionProblems(spec),
    ...(spec.endpoints ?? []).flatMap((endpoint, index) => serverProblems(['endpoints', index], endpoint, spec.resolution ?? 'NONE')),
    ...labelProblems(['workloadSelector', 'labels'], spec.workloadSelector?.labels),
    ...exportProblems(['exportTo'], spec.exportTo),
  ];
}

const WILD = ['NONE', 'DYNAMIC_DNS'];

function hostProblems(steps: Steps, host: string, { spec, namespace }: { spec: ServiceEntrySpec; namespace: string }): SchemaProblem[] {
  const { resolution = 'NONE', endpoints = [] } = spec;
  if (host === '*') return [invalid(steps, 'is *, which would be every host: write *.DOMAIN')];
  if (hostKey(host, namespace) === undefined) return [invalid(steps, `is ${JSON.stringify(host)}: must be a DNS name, or *.DOMAIN`)];
  if (!host.startsWith('*.')) {
    return resolution === 'DYNAMIC_DNS'
      ? [invalid(steps, `is ${host}; DYNAMIC_DNS is for hosts that begin with *.: write resolution DNS`)]
      : [];
  }
  if (WILD.includes(resolution) || resolution === 'STATIC') return [];
  return endpoints.length > 0
    ? []
    : [invalid(steps, `is ${host}, which has no address of its own: give endpoints, or write resolution DYNAMIC_DNS`)];
}

function addressProblems(steps: Steps, address: string, { resolution = 'NONE' }: ServiceEntrySpec): SchemaProblem[] {
  if (isIpAddress(address)) return [];
  if (!isCidr(address)) return [invalid(steps, `is ${JSON.stringify(address)}: must be an IP address or a prefix such as 10.0.0.0/8`)];
  const isTaken = resolution === 'NONE' || resolution === 'STATIC' || /\/(32|128)$/.test(address);
  return isTaken ? [] : [invalid(steps, `is ${address}; a prefix is possible with resolution NONE and STATIC alone`)];
}

function portProblems(steps: Steps, port: ServiceEntryPorts, { resolution = 'NONE' }: ServiceEntrySpec): readonly SchemaProblem[] {
  const { protocol } = port;
  const isKnown = protocol === undefined || ISTIO_PROTOCOLS.includes(protocol.toUpperCase());
  const moved = WILD.includes(resolution) && port.targetPort !== undefined && port.targetPort !== port.number;
  return [
    ...rangeProblems([...steps, 'number'], port.number, [1, 65_535]),
    ...rangeProblems([...steps, 'targetPort'], port.targetPort, [1, 65_535]),
    ...(isKnown ? [] : [invalid([...steps, 'protocol'], `is ${protocol}; it must be one of ${ISTIO_PROTOCOLS.join(', ')}`)]),
    ...(moved
      ? [invalid([...steps, 'targetPort'], `cannot be with resolution ${resolution}: a connection keeps the port it was made to`)]
      : []),
  ];
}

function resolutionProblems(spec: ServiceEntrySpec): SchemaProblem[] {
  const { resolution = 'NONE', endpoints, workloadSelector, location } = spec;
  const problems: SchemaProblem[] = [];
  const say = (steps: Steps, message: string): void => void problems.push(invalid(steps, message));
  if (endpoints !== undefined && workloadSelector !== undefined)
    say(['workloadSelector'], 'and endpoints exclude each other: take one out');
  if (WILD.includes(resolution) && (endpoints ?? []).length > 0) {
    say(['endpoints'], `cannot be with resolution ${resolution}: connections go to where their callers mean; write STATIC or DNS`);
  }
  if (resolution === 'DNS_ROUND_ROBIN' && (endpoints ?? []).length > 1) {
    say(['endpoints'], 'has several entries; DNS_ROUND_ROBIN is for one name: write resolution DNS');
  }
  if (resolution === 'STATIC' && endpoints === undefined && workloadSelector === undefined) {
    say(['endpoints'], 'or workloadSelector is needed with resolution STATIC');
  }
  if (workloadSelector !== undefined && Object.keys(workloadSelector.labels ?? {}).length === 0) {
    say(['workloadSelector', 'labels'], 'needs a label: without one every workload of the namespace would serve');
  }
  if (workloadSelector !== undefined && location !== 'MESH_INTERNAL') {
    say(['workloadSelector'], 'is for workloads of the mesh: write location MESH_INTERNAL');
  }
  if (workloadSelector !== undefined && resolution !== 'STATIC' && resolution !== 'DNS') {
    say(['workloadSelector'], `cannot be with resolution ${resolution}: write STATIC`);
  }
  if (resolution === 'DYNAMIC_DNS' && location === 'MESH_INTERNAL') {
    say(['resolution'], 'is DYNAMIC_DNS, which is for location MESH_EXTERNAL alone');
  }
  return problems;
}

function duplicates<T>(list: readonly T[], keyOf: (item: T) => unknown, ...steps: readonly [string, string?]): SchemaProblem[] {
  const keys = list.map(keyOf);
  return keys.flatMap((key, index): SchemaProblem[] => {
    if (keys.indexOf(key) === index) return [];
    const at = [steps[0], index, ...(steps[1] === undefined ? [] : [steps[1]])];
    return [{ steps: at, code: 'FieldValueDuplicate', message: `is ${key}, which is listed already` }];
  });
}
