/** What Sidecar specs mean beyond their shape. Pure. */
import { hostKey } from '../../service-host.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { SidecarEgress, SidecarIngress, SidecarPort, SidecarSpec } from '../specs.ts';
import { ISTIO_PROTOCOLS, invalid, labelProblems, required, type Steps } from './checks.ts';

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
    ...(spec.ingress ?? []).flatMap((listener, index) => ingressProblems(['ingress', index], listener)),
  ];
}

function egressProblems(steps: Steps, { hosts, port }: SidecarEgress, namespace: string): readonly SchemaProblem[] {
  return [
    ...required([...steps, 'hosts'], hosts),
    ...hosts.flatMap((host, index) => importProblems([...steps, 'hosts', index], host, namespace)),
    ...(port === undefined ? [] : portProblems([...steps, 'port'], port)),
  ];
}

const ENDPOINT = /^((\[[0-9a-f:.]+\]|\d+(\.\d+){3})?:\d+|unix:\/\/[/@].+)$/i;

function ingressProblems(steps: Steps, { port, defaultEndpoint = '' }: SidecarIngress): readonly SchemaProblem[] {
  const isEndpoint = defaultEndpoint === '' || ENDPOINT.test(defaultEndpoint);
  return [
    ...portProblems([...steps, 'port'], port),
    ...(isEndpoint ? [] : [invalid([...steps, 'defaultEndpoint'], `is ${defaultEndpoint}; write IP:PORT or unix:///PATH`)]),
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

function portProblems(steps: Steps, { number, protocol }: SidecarPort): readonly SchemaProblem[] {
  const isPort = number !== undefined && Number.isInteger(number) && number >= 1 && number <= 65_535;
  const isKnown = protocol === undefined || ISTIO_PROTOCOLS.includes(protocol.toUpperCase());
  return [
    ...(isPort ? [] : [invalid([...steps, 'number'], `is ${number}; it must be a port from 1 to 65535`)]),
    ...(isKnown ? [] : [invalid([...steps, 'protocol'], `is ${protocol}; it must be one of ${ISTIO_PROTOCOLS.join(', ')}`)]),
  ];
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
