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
  const { httpGet, tcpSocket } = probe;
  const path = httpGet?.path;
  const hosts = [
    [[...steps, 'httpGet', 'host'], httpGet?.host],
    [[...steps, 'tcpSocket', 'host'], tcpSocket?.host],
  ] as const;
  return [
    ...hosts.flatMap(([at, host]) =>
      host === undefined || isIpAddress(host) ? [] : [invalid(at, `is ${host}: must be an IP address; the member’s own unless given`)],
    ),
    ...(path === undefined || path.startsWith('/') ? [] : [invalid([...steps, 'httpGet', 'path'], `is ${path}: must begin with /`)]),
    ...(['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const).flatMap((name) =>
      rangeProblems([...steps, name], probe[name], [0, 86_400]),
    ),
  ];
}
