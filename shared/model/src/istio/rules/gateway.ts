/** What a Gateway must be beyond its shape: ports, hosts, and certificates that go together. Pure. */
import type { SchemaProblem } from '../../validate-schema.ts';
import type { GatewayServers, GatewaySpec, GatewayTls } from '../specs.ts';
import { invalid, labelProblems, rangeProblems, required, type Steps } from './checks.ts';

/** Every problem; paths are below the spec. */
export function gatewayProblems(spec: GatewaySpec): readonly SchemaProblem[] {
  const names = (spec.servers ?? []).map(({ name = '' }) => name);
  return [
    ...labelProblems(['selector'], spec.selector),
    ...required(['servers'], spec.servers),
    ...(spec.servers ?? []).flatMap((server, index) => serverProblems(['servers', index], server)),
    ...names.flatMap((name, index) =>
      name !== '' && names.indexOf(name) !== index
        ? [{ steps: ['servers', index, 'name'], code: 'FieldValueDuplicate' as const, message: 'names a server that is listed already' }]
        : [],
    ),
  ];
}

const HTTP = ['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB'];
const PROTOCOLS = [...HTTP, 'HTTPS', 'TLS', 'TCP', 'MONGO', 'MYSQL', 'REDIS'];

function serverProblems(steps: Steps, { port, hosts, bind = '', tls, defaultEndpoint }: GatewayServers): readonly SchemaProblem[] {
  const protocol = port.protocol.toUpperCase();
  const isUnix = /^(unix:\/\/)?[/@]/.test(bind);
  const isTls = protocol === 'HTTPS' || protocol === 'TLS';
  return [
    ...(PROTOCOLS.includes(protocol)
      ? []
      : [invalid([...steps, 'port', 'protocol'], `is ${port.protocol}: write one of ${PROTOCOLS.join(', ')}`)]),
    ...rangeProblems([...steps, 'port', 'number'], port.number, [isUnix ? 0 : 1, 65_535]),
    ...rangeProblems([...steps, 'port', 'targetPort'], port.targetPort, [1, 65_535]),
    ...required([...steps, 'hosts'], hosts),
    ...hosts.flatMap((host, index) => hostProblems([...steps, 'hosts', index], host)),
    ...(isTls && tls === undefined
      ? [{ steps: [...steps, 'tls'], code: 'FieldValueRequired' as const, message: `is required for ${protocol}` }]
      : []),
    ...(isTls && tls?.httpsRedirect === true ? [invalid([...steps, 'tls', 'httpsRedirect'], 'is for servers of plain HTTP')] : []),
    ...(tls === undefined || HTTP.includes(protocol) ? [] : certificateProblems([...steps, 'tls'], tls)),
    ...(defaultEndpoint === undefined || /^(127\.\d+\.\d+\.\d+:\d+|\[::1\]:\d+|unix:\/\/[/@].+)$/.test(defaultEndpoint)
      ? []
      : [invalid([...steps, 'defaultEndpoint'], 'must be on the proxy’s machine: 127.0.0.1:PORT, unix:///PATH or unix://@NAME')]),
  ];
}

function hostProblems(steps: Steps, text: string): readonly SchemaProblem[] {
  const [host = '', namespace, ...more] = text.split('/').reverse();
  const isHost = host === '*' || /^(\*\.)?[a-z0-9_]([-a-z0-9_.]{0,251}[a-z0-9_])?$/i.test(host);
  const isNamespace = namespace === undefined || /^(\*|\.|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$/.test(namespace);
  if (isHost && isNamespace && more.length === 0) return [];
  return [invalid(steps, `is ${JSON.stringify(text)}: write HOST or NAMESPACE/HOST, where HOST may be * or begin with *.`)];
}

/** Problems of the certificates of a server that ends TLS itself; a server of any other mode has none. */
export function certificateProblems(steps: Steps, tls: GatewayTls): readonly SchemaProblem[] {
  const { mode = 'PASSTHROUGH' } = tls;
  if (mode !== 'SIMPLE' && mode !== 'MUTUAL' && mode !== 'OPTIONAL_MUTUAL') return [];
  const { credentialName = '', credentialNames = [], tlsCertificates = [], serverCertificate = '', privateKey = '' } = tls;
  const ways = [credentialName !== '', credentialNames.length > 0, tlsCertificates.length > 0, `${serverCertificate}${privateKey}` !== ''];
  const count = ways.filter(Boolean).length;
  const way = 'credentialName, credentialNames, tlsCertificates, or serverCertificate with privateKey';
  const isSecret = credentialName !== '' || credentialNames.length > 0;
  const hasFile = (tls.caCertificates ?? '') !== '' || tlsCertificates.some(({ caCertificates = '' }) => caCertificates !== '');
  return [
    ...(count === 1 ? [] : [invalid(steps, `of mode ${mode} needs exactly one of ${way}`)]),
    ...(count === 1 && ways[3] === true && (serverCertificate === '') !== (privateKey === '')
      ? [invalid(steps, 'needs serverCertificate and privateKey together')]
      : []),
    ...(mode !== 'SIMPLE' && !isSecret && (tls.caCertCredentialName ?? '') === '' && !hasFile
      ? [{ steps: [...steps, 'caCertificates'], code: 'FieldValueRequired' as const, message: `is required for mode ${mode}` }]
      : []),
    ...(tlsCertificates.length > 2 ? [invalid([...steps, 'tlsCertificates'], 'may be two at most, one of RSA and one of ECDSA')] : []),
  ];
}
