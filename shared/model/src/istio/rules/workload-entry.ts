/** What a WorkloadEntry, the endpoint of a ServiceEntry and the template of a WorkloadGroup must be beyond their shape. Pure. */
import { isIpAddress } from '../../ip-address.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { ServiceEntrySpec, WorkloadEntrySpec } from '../specs.ts';
import { invalid, labelProblems, rangeProblems, type Steps } from './checks.ts';

const NAME = /^(?=.{1,253}$)[a-zA-Z0-9_]([-a-zA-Z0-9_]{0,61}[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([-a-zA-Z0-9_]{0,61}[a-zA-Z0-9_])?)*\.?$/;
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** Longest path of a Unix socket that Linux takes. */
const MAX_PATH = 107;

/** Every problem of a WorkloadEntry; paths are below the spec. A name instead of an address is for ServiceEntries that resolve names. */
export function workloadEntryProblems(spec: WorkloadEntrySpec): readonly SchemaProblem[] {
  return serverProblems([], spec, 'DNS');
}

/** Every problem of one server, as an entry with this resolution finds it. */
export function serverProblems(
  steps: Steps,
  server: WorkloadEntrySpec,
  resolution: NonNullable<ServiceEntrySpec['resolution']>,
): readonly SchemaProblem[] {
  return [...addressProblems([...steps, 'address'], server, resolution), ...traitProblems(steps, server)];
}

/** Every problem of what a server is besides its address. */
export function traitProblems(steps: Steps, { ports, labels, weight, serviceAccount }: WorkloadEntrySpec): readonly SchemaProblem[] {
  const isAccount = serviceAccount === undefined || LABEL.test(serviceAccount);
  return [
    ...Object.entries(ports ?? {}).flatMap(([name, port]) => rangeProblems([...steps, 'ports', name], port, [1, 65_535])),
    ...labelProblems([...steps, 'labels'], labels),
    ...rangeProblems([...steps, 'weight'], weight, [0, 1_000_000]),
    ...(isAccount
      ? []
      : [invalid([...steps, 'serviceAccount'], `is ${JSON.stringify(serviceAccount)}: must be lower case letters, digits and -`)]),
  ];
}

function addressProblems(steps: Steps, { address = '', ports, network }: WorkloadEntrySpec, resolution: string): SchemaProblem[] {
  if (address === '') {
    const why = network === undefined ? 'is required' : 'is required: a network alone does not say where the workload is';
    return [{ steps, code: 'FieldValueRequired', message: why }];
  }
  if (address.startsWith('unix://')) return socketProblems(steps, { address, ports, resolution });
  if (isIpAddress(address)) return [];
  if (resolution === 'STATIC')
    return [
      invalid(steps, `is ${JSON.stringify(address)}: with resolution STATIC it must be an IP address; write resolution DNS for names`),
    ];
  if (!NAME.test(address) || /^[0-9.]+$/.test(address))
    return [invalid(steps, `is ${JSON.stringify(address)}: must be an IP address or a DNS name without wildcards`)];
  return [];
}

interface Socket {
  readonly address: string;
  readonly ports: WorkloadEntrySpec['ports'];
  readonly resolution: string;
}

function socketProblems(steps: Steps, { address, ports, resolution }: Socket): SchemaProblem[] {
  const path = address.slice('unix://'.length);
  if (!/^[/@]/.test(path) || path.endsWith('/')) return [invalid(steps, `is ${address}: must be unix:///PATH or unix://@NAME`)];
  if (path.length > MAX_PATH) return [invalid(steps, `has a path of ${path.length} characters; at most ${MAX_PATH} are possible`)];
  if (ports !== undefined) return [invalid(steps, 'is a Unix socket, which has no ports: take them out')];
  return resolution === 'DNS_ROUND_ROBIN' ? [invalid(steps, 'is a Unix socket, which is no name: write resolution STATIC')] : [];
}
