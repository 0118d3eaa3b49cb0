/** What Sidecar specs mean beyond their shape. Pure. */
import { hostKey } from '../../service-host.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { SidecarEgress, SidecarSpec } from '../specs.ts';
import { invalid, labelProblems, required, type Steps } from './checks.ts';

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Problems of a Sidecar. */
export function sidecarProblems(spec: SidecarSpec, namespace: string): readonly SchemaProblem[] {
  const egress = spec.egress ?? [];
  const open = egress.filter(({ port }) => port === undefined);
  return [
    ...labelProblems(['workloadSelector', 'labels'], spec.workloadSelector?.labels),
    ...egress.flatMap((listener, index) => egressProblems(['egress', index], listener, namespace)),
    ...(open.length > 1 ? [invalid(['egress'], 'has several listeners without a port: write their hosts into one')] : []),
    ...repeatedPorts(egress),
  ];
}

function egressProblems(steps: Steps, { hosts, port }: SidecarEgress, namespace: string): readonly SchemaProblem[] {
  return [
    ...required([...steps, 'hosts'], hosts),
    ...hosts.flatMap((host, index) => importProblems([...steps, 'hosts', index], host, namespace)),
    ...(port === undefined ? [] : portProblems([...steps, 'port', 'number'], port.number)),
  ];
}

/** `NAMESPACE/HOST`, where the namespace may be `.`, `*` or `~`, and the host `*`, `*.SUFFIX` or a name. */
function importProblems(steps: Steps, text: string, namespace: string): readonly SchemaProblem[] {
  const [scope = '', host, ...rest] = text.split('/');
  const isScope = ['.', '*', '~'].includes(scope) || NAMESPACE.test(scope);
  if (host === undefined || rest.length > 0 || !isScope || hostKey(host, namespace) === undefined)
    return [invalid(steps, `is ${JSON.stringify(text)}: write NAMESPACE/HOST, such as ./*, */* or shop/cart.shop.svc.cluster.local`)];
  return [];
}

function portProblems(steps: Steps, port: number | undefined): readonly SchemaProblem[] {
  if (port !== undefined && Number.isInteger(port) && port >= 1 && port <= 65_535) return [];
  return [invalid(steps, `is ${port}; it must be a port from 1 to 65535`)];
}

function repeatedPorts(egress: readonly SidecarEgress[]): readonly SchemaProblem[] {
  const seen = new Set<number>();
  return egress.flatMap(({ port }, index) => {
    if (port?.number === undefined || !seen.has(port.number)) {
      if (port?.number !== undefined) seen.add(port.number);
      return [];
    }
    return [invalid(['egress', index, 'port', 'number'], `is ${port.number}, which another listener has: write their hosts into one`)];
  });
}
