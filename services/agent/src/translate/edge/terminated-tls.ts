/** TLS that a server ends itself: its socket, and the secrets that go with it. Pure. */
import type { GatewayTls } from '@hawser/model/istio/specs.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import type { Credentials } from '../../state/credential.ts';
import type { Fleet } from '../fleet.ts';
import { INBOUND_TRUST } from '../names.ts';
import type { TransportSocketInit } from '../tls.ts';
import { callersTrust } from '../trust.ts';
import { type FieldProblem, serverSecrets } from './certificates.ts';
import { edgeTls } from './server-tls.ts';

/** Where secrets come from. */
export interface SecretSource {
  /** The proxy's namespace, which its token proves. */
  readonly namespace: string;
  readonly credentials: Credentials;
}

/** A socket, unless a certificate is missing. Problems name fields below the server's `tls`. */
export interface TerminatedTls {
  readonly socket: TransportSocketInit | undefined;
  readonly secrets: readonly XdsResource[];
  readonly problems: readonly FieldProblem[];
}

/** A server that ends TLS. */
export interface TlsServer {
  readonly tls: GatewayTls;
  /** Whether HTTP is within. */
  readonly isHttp: boolean;
}

/** The TLS side of a server of mode SIMPLE, MUTUAL, OPTIONAL_MUTUAL or ISTIO_MUTUAL. */
export function terminatedTls(server: TlsServer, source: SecretSource & { readonly fleet: Fleet }): TerminatedTls {
  return server.tls.mode === 'ISTIO_MUTUAL' ? meshTls(server, source.fleet) : ownTls(server, source);
}

/** The TLS side of a server with certificates of its own: of mode SIMPLE, MUTUAL or OPTIONAL_MUTUAL. */
export function ownTls({ tls, isHttp }: TlsServer, source: SecretSource): TerminatedTls {
  const found = serverSecrets(tls, source);
  if ('problem' in found) return { socket: undefined, secrets: [], problems: [found.problem] };
  const { certificates, authorities, warnings } = found;
  const names = certificates.map(({ name }) => name);
  const { socket, problems } = edgeTls({ tls, alpn: alpnOf(isHttp), certificates: names, authorities: authorities?.name });
  const secrets = [...certificates, ...(authorities === undefined ? [] : [authorities])];
  return { socket, secrets, problems: [...warnings, ...problems] };
}

function alpnOf(isHttp: boolean): readonly string[] {
  return isHttp ? ['h2', 'http/1.1'] : [];
}

/** By the proxy's own identity, for callers of the mesh: all, or those that `subjectAltNames` names. */
function meshTls(server: TlsServer, fleet: Fleet): TerminatedTls {
  const { subjectAltNames = [], verifyCertificateHash, verifyCertificateSpki, ...tls } = server.tls;
  const alpn = alpnOf(server.isHttp);
  const unused = Object.entries({ verifyCertificateHash, verifyCertificateSpki }).filter(([, value]) => (value ?? []).length > 0);
  const notUsed = unused.map(([name]) => ({
    field: `.${name}`,
    message: 'callers of the mesh change their keys: name their identities in subjectAltNames',
  }));
  if (subjectAltNames.length === 0) {
    const { socket, problems } = edgeTls({ tls, alpn, certificates: [], authorities: INBOUND_TRUST });
    return { socket, secrets: [], problems: [...problems, ...notUsed] };
  }
  const names = [...new Set(subjectAltNames)].sort();
  const trust = callersTrust(`trust|edge|${sha256(names.join('\n')).slice(0, 16)}`, fleet.believed, names);
  const { socket, problems } = edgeTls({ tls, alpn, certificates: [], authorities: trust.name });
  return { socket, secrets: [trust], problems: [...problems, ...notUsed] };
}
