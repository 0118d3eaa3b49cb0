/** What a WorkloadGroup must be beyond its shape: what its members have in common, and a probe that an agent can make. Pure. */
import { isIpAddress } from '../../ip-address.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { WorkloadGroupProbe, WorkloadGroupSpec } from '../specs.ts';
import { invalid, labelProblems, rangeProblems, type Steps } from './checks.ts';
import { traitProblems } from './workload-entry.ts';

/** Every problem; paths are below the spec. */
export function workloadGroupProblems({ metadata, template, probe }: WorkloadGroupSpec): readonly SchemaProblem[] {
  return [
    ...(template === undefined ? [{ steps: ['template'], code: 'FieldValueRequired' as const, message: 'is required' }] : []),
    ...traitProblems(['template'], template ?? {}),
    ...labelProblems(['metadata', 'labels'], metadata?.labels),
    ...(probe === undefined ? [] : probeProblems(['probe'], probe)),
  ];
}

const KINDS = ['httpGet', 'tcpSocket', 'grpc', 'exec'] as const;

function probeProblems(steps: Steps, probe: WorkloadGroupProbe): SchemaProblem[] {
  const kinds = KINDS.filter((kind) => probe[kind] !== undefined);
  if (kinds.length !== 1) return [invalid(steps, `must have exactly one of ${KINDS.join(', ')}`)];
  return [
    ...kinds.flatMap((kind) => PROBLEMS[kind]([...steps, kind], probe)),
    ...(['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const).flatMap((name) =>
      rangeProblems([...steps, name], probe[name], [0, 86_400]),
    ),
  ];
}

const TARGET = /^(?=.{1,253}$)[a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?$/;
const HEADER = /^[!#$%&'*+.^_`|~0-9a-zA-Z-]+$/;

/** What may be wrong with each kind of probe. Machines make them: a probe that cannot be made would keep its machine out for ever. */
const PROBLEMS: Readonly<Record<(typeof KINDS)[number], (steps: Steps, probe: WorkloadGroupProbe) => readonly SchemaProblem[]>> = {
  httpGet: (steps, { httpGet }) => [
    ...hostProblems(steps, httpGet?.host),
    ...rangeProblems([...steps, 'port'], httpGet?.port, PORTS),
    ...pathProblems(steps, httpGet?.path),
    ...(/^(https?)?$/i.test(httpGet?.scheme ?? '') ? [] : [invalid([...steps, 'scheme'], `is ${httpGet?.scheme}: must be HTTP or HTTPS`)]),
    ...(httpGet?.httpHeaders ?? []).flatMap(({ name = '', value = '' }, index) =>
      HEADER.test(name) && !/[\r\n\0]/.test(value)
        ? []
        : [invalid([...steps, 'httpHeaders', index], `is ${JSON.stringify(name)}: must be the name of a header and a value of one line`)],
    ),
  ],
  tcpSocket: (steps, { tcpSocket }) => [
    ...hostProblems(steps, tcpSocket?.host),
    ...rangeProblems([...steps, 'port'], tcpSocket?.port, PORTS),
  ],
  grpc: (steps, { grpc }) =>
    grpc?.port === undefined
      ? [{ steps: [...steps, 'port'], code: 'FieldValueRequired', message: 'is required' }]
      : rangeProblems([...steps, 'port'], grpc.port, PORTS),
  exec: (steps, { exec }) =>
    (exec?.command[0] ?? '') === '' ? [invalid([...steps, 'command'], 'is empty: write a program and its arguments')] : [],
};

const PORTS = [1, 65_535] as const;

function hostProblems(steps: Steps, host: string | undefined): SchemaProblem[] {
  if (host === undefined || isIpAddress(host) || TARGET.test(host)) return [];
  return [invalid([...steps, 'host'], `is ${host}: must be an IP address or a DNS name; the member’s own address unless given`)];
}

function pathProblems(steps: Steps, path: string | undefined): SchemaProblem[] {
  return path === undefined || /^\/[!-~]*$/.test(path) ? [] : [invalid([...steps, 'path'], `is ${path}: must begin with / and be encoded`)];
}
