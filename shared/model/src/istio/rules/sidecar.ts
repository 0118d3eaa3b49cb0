/** What Sidecar specs mean beyond their shape. Pure. */
import { isIpAddress } from '../../ip-address.ts';
import { PORTS } from '../../ports.ts';
import { hostKey } from '../../service-host.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { SidecarEgress, SidecarIngress, SidecarPort, SidecarSpec, SidecarTls } from '../specs.ts';
import { ISTIO_PROTOCOLS, invalid, labelProblems, required, type Steps } from './checks.ts';
import { certificateProblems } from './gateway.ts';
import { poolProblems } from './traffic-policy.ts';

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Problems of a Sidecar. */
export function sidecarProblems(spec: SidecarSpec, namespace: string): readonly SchemaProblem[] {
  const egress = spec.egress ?? [];
  const open = egress.filter(({ port }) => port === undefined);
  const isSelecting = Object.keys(spec.workloadSelector?.labels ?? {}).length > 0;
  return [
    ...labelProblems(['workloadSelector', 'labels'], spec.workloadSelector?.labels),
    ...egress.flatMap((listener, index) => egressProblems(['egress', index], listener, namespace)),
    ...(open.length > 1 ? [invalid(['egress'], 'has several listeners without a port: write their hosts into one')] : []),
    ...repeated('egress', egress),
    ...(spec.ingress ?? []).flatMap((listener, index) => ingressProblems(['ingress', index], listener, isSelecting)),
    ...repeated('ingress', spec.ingress ?? []),
    ...poolProblems(['inboundConnectionPool'], spec.inboundConnectionPool),
    ...egressProxyProblems(spec.outboundTrafficPolicy),
  ];
}

/** Istio: a proxy for what is not let out anyway has nothing to do. Without a mode nothing is. */
function egressProxyProblems({
  mode = 'REGISTRY_ONLY',
  egressProxy,
}: NonNullable<SidecarSpec['outboundTrafficPolicy']> = {}): readonly SchemaProblem[] {
  if (egressProxy === undefined || mode === 'ALLOW_ANY') return [];
  return [invalid(['outboundTrafficPolicy', 'egressProxy'], `is for mode ALLOW_ANY, and this is ${mode}: write mode: ALLOW_ANY beside it`)];
}

function egressProblems(steps: Steps, listener: SidecarEgress, namespace: string): readonly SchemaProblem[] {
  const { hosts, port, bind = '' } = listener;
  return [
    ...required([...steps, 'hosts'], hosts),
    ...hosts.flatMap((host, index) => importProblems([...steps, 'hosts', index], host, namespace)),
    ...(port === undefined ? [] : portProblems([...steps, 'port'], port, isUnix(bind) ? 0 : 1)),
    ...egressBindProblems(steps, listener),
  ];
}

/** An address of its own: an IP address with a port, or a Unix domain socket, which has none. */
function egressBindProblems(steps: Steps, { port, bind = '', captureMode }: SidecarEgress): readonly SchemaProblem[] {
  const at = [...steps, 'bind'];
  if (bind === '') return captureMode === 'NONE' ? ownPortProblems([...steps, 'port', 'number'], port?.number) : [];
  if (port === undefined) return [{ steps: [...steps, 'port'], code: 'FieldValueRequired', message: 'is required beside bind' }];
  if (!isUnix(bind) && !isIpAddress(bind))
    return [invalid(at, `is ${JSON.stringify(bind)}; write an IP address, unix:///PATH or unix://@NAME for an abstract socket`)];
  if (!isUnix(bind)) return ownPortProblems([...steps, 'port', 'number'], port.number);
  return [
    ...(bind.length - UNIX.length > MOST_PATH_BYTES ? [invalid(at, `has a path of more than ${MOST_PATH_BYTES} bytes`)] : []),
    ...((port.number ?? 0) === 0 ? [] : [invalid([...steps, 'port', 'number'], 'must be 0 or left out for a Unix domain socket')]),
    ...(captureMode === 'IPTABLES' ? [invalid([...steps, 'captureMode'], 'is IPTABLES: no call to a Unix domain socket is captured')] : []),
  ];
}

const UNIX = 'unix://';
/** What the kernel has room for (sun_path, unix(7)). */
const MOST_PATH_BYTES = 107;

function isUnix(bind: string): boolean {
  return /^unix:\/\/[/@]./.test(bind);
}

/** What the sidecar listens at itself. */
const OWN_PORTS: readonly (number | undefined)[] = [
  ...[PORTS.envoyAdmin, PORTS.outbound, PORTS.inbound, PORTS.capture, PORTS.health, PORTS.dns, PORTS.names, PORTS.stats],
];

function ownPortProblems(steps: Steps, number: number | undefined): readonly SchemaProblem[] {
  return OWN_PORTS.includes(number) ? [invalid(steps, `is ${number}, which is the sidecar's own: choose another`)] : [];
}

const ENDPOINT = /^((\[[0-9a-f:.]+\]|\d+(\.\d+){3})?:\d+|unix:\/\/[/@].+)$/i;

function ingressProblems(steps: Steps, listener: SidecarIngress, isSelecting: boolean): readonly SchemaProblem[] {
  const { port, bind = '', defaultEndpoint = '', connectionPool, tls } = listener;
  const isEndpoint = defaultEndpoint === '' || ENDPOINT.test(defaultEndpoint);
  return [
    ...portProblems([...steps, 'port'], port, 1),
    ...ownPortProblems([...steps, 'port', 'number'], port.number),
    ...(bind === '' || isIpAddress(bind) ? [] : [invalid([...steps, 'bind'], `is ${JSON.stringify(bind)}; write an IP address`)]),
    ...(isEndpoint ? [] : [invalid([...steps, 'defaultEndpoint'], `is ${defaultEndpoint}; write IP:PORT or unix:///PATH`)]),
    ...poolProblems([...steps, 'connectionPool'], connectionPool),
    ...(tls === undefined ? [] : ingressTlsProblems([...steps, 'tls'], { tls, protocol: port.protocol ?? '', isSelecting })),
  ];
}

interface IngressTls {
  readonly tls: SidecarTls;
  readonly protocol: string;
  /** Whether the Sidecar is for some workloads alone. */
  readonly isSelecting: boolean;
}

/** TLS of callers outside of the mesh. A key goes to the workloads that are selected, and to nobody else. */
function ingressTlsProblems(steps: Steps, { tls, protocol, isSelecting }: IngressTls): readonly SchemaProblem[] {
  const { mode, httpsRedirect = false, credentialName = '', credentialNames = [], caCertCredentialName = '' } = tls;
  const isEnded = mode === 'SIMPLE' || mode === 'MUTUAL' || mode === 'OPTIONAL_MUTUAL';
  const isNamed = credentialName !== '' || credentialNames.length > 0 || caCertCredentialName !== '';
  const field = credentialNames.length > 0 ? 'credentialNames' : credentialName === '' ? 'caCertCredentialName' : 'credentialName';
  if (httpsRedirect) {
    const isPlain = mode === undefined && HTTP_PROTOCOLS.includes(protocol.toUpperCase());
    return isPlain ? [] : [invalid([...steps, 'httpsRedirect'], 'is for a port of plain HTTP, without a mode')];
  }
  if (!isEnded) return [invalid([...steps, 'mode'], `is ${mode ?? 'not given'}: a Sidecar ends TLS, by SIMPLE, MUTUAL or OPTIONAL_MUTUAL`)];
  return [
    ...certificateProblems(steps, tls),
    ...(isNamed && !isSelecting
      ? [invalid([...steps, field], 'needs a workloadSelector: a key is for the workloads that it selects')]
      : []),
  ];
}

const HTTP_PROTOCOLS = ['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB'];

/** `NAMESPACE/HOST`, where the namespace may be `.`, `*` or `~`, and the host `*`, `*.SUFFIX` or a name. */
function importProblems(steps: Steps, text: string, namespace: string): readonly SchemaProblem[] {
  const [scope = '', host, ...rest] = text.split('/');
  const isScope = ['.', '*', '~'].includes(scope) || NAMESPACE.test(scope);
  if (host === undefined || rest.length > 0 || !isScope || hostKey(host, namespace) === undefined)
    return [invalid(steps, `is ${JSON.stringify(text)}: write NAMESPACE/HOST, such as ./*, */* or shop/cart.shop.svc.cluster.local`)];
  return [];
}

function portProblems(steps: Steps, { number, protocol }: SidecarPort, least: 0 | 1): readonly SchemaProblem[] {
  const isPort = Number.isInteger(number ?? 0) && (number ?? 0) >= least && (number ?? 0) <= 65_535;
  const isKnown = protocol === undefined || ISTIO_PROTOCOLS.includes(protocol.toUpperCase());
  return [
    ...(isPort ? [] : [invalid([...steps, 'number'], `is ${number}; it must be a port from 1 to 65535`)]),
    ...(isKnown ? [] : [invalid([...steps, 'protocol'], `is ${protocol}; it must be one of ${ISTIO_PROTOCOLS.join(', ')}`)]),
  ];
}

/** Each port, and each Unix domain socket, is of one listener. */
function repeated(list: 'egress' | 'ingress', listeners: readonly (SidecarEgress | SidecarIngress)[]): readonly SchemaProblem[] {
  const seen = new Set<number | string>();
  return listeners.flatMap(({ port, bind = '' }, index) => {
    const place = isUnix(bind) ? bind : port?.number;
    if (place === undefined) return [];
    if (!seen.has(place)) {
      seen.add(place);
      return [];
    }
    const way = list === 'egress' ? ': write their hosts into one' : '';
    return [invalid([list, index, ...(isUnix(bind) ? ['bind'] : ['port', 'number'])], `is ${place}, which another listener has${way}`)];
  });
}
