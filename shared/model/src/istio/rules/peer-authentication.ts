/** What a PeerAuthentication must be beyond its shape. Pure. */
import { PORTS } from '../../ports.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { PeerAuthenticationSpec } from '../specs.ts';
import { invalid, labelProblems } from './checks.ts';

/** Every problem of a PeerAuthentication; paths are below the spec. */
export function peerAuthenticationProblems({ selector, portLevelMtls = {} }: PeerAuthenticationSpec): readonly SchemaProblem[] {
  const labels = selector?.matchLabels ?? {};
  const ports = Object.keys(portLevelMtls);
  const problems = [...labelProblems(['selector', 'matchLabels'], labels), ...ports.flatMap(portProblems)];
  if (ports.length > 0 && Object.keys(labels).length === 0)
    problems.push(invalid(['portLevelMtls'], 'needs a selector with labels: ports are those of certain workloads'));
  return problems;
}

function portProblems(port: string): readonly SchemaProblem[] {
  const steps = ['portLevelMtls', port];
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) return [invalid(steps, 'must be a port of the workload, from 1 to 65535')];
  if (Number(port) !== PORTS.inbound) return [];
  return [invalid(steps, "is the sidecar's own, where callers of the mesh always prove who they are")];
}
