/** How a call may be secured, beyond its shape. Between services of the mesh that is not a choice. Pure. */
import type { SchemaProblem } from '../../validate-schema.ts';
import type { DestinationRuleTls } from '../specs.ts';
import { invalid, type Steps } from './checks.ts';

const KEYS =
  'needs a workloadSelector: the key of the Secret goes to the proxies that the rule selects, and to nobody else. Add one, or name files on the proxy';

/** Credentials of a rule that selects nobody in particular; `tls` is where settings are. */
export function unselectedCredential(steps: Steps, tls: DestinationRuleTls | undefined): readonly SchemaProblem[] {
  return tls?.credentialName === undefined ? [] : [invalid([...steps, 'tls', 'credentialName'], KEYS)];
}

/** What is called: a service of the mesh, or a host outside of it; a wildcard may be both, a name of two labels either. */
export type TlsTarget = 'mesh' | 'external' | 'any';

const OWN = 'mutual TLS between services of the mesh is made by Hawser and cannot be switched off or replaced';

/** Every problem of the settings at `steps`. */
export function tlsProblems(steps: Steps, tls: DestinationRuleTls | undefined, target: TlsTarget): readonly SchemaProblem[] {
  if (tls === undefined) return [];
  const { mode = 'DISABLE', credentialName, clientCertificate, privateKey, insecureSkipVerify, caCertificates } = tls;
  if (target === 'mesh' && mode !== 'ISTIO_MUTUAL')
    return [invalid([...steps, 'mode'], `is ${mode}: ${OWN}. Write ISTIO_MUTUAL or leave tls out`)];
  if (mode === 'ISTIO_MUTUAL') return ownProblems(steps, tls);
  const hasFiles = clientCertificate !== undefined || privateKey !== undefined;
  const needsOwn = mode === 'MUTUAL' && credentialName === undefined;
  return [
    ...(needsOwn && clientCertificate === undefined ? [missing([...steps, 'clientCertificate'])] : []),
    ...(needsOwn && privateKey === undefined ? [missing([...steps, 'privateKey'])] : []),
    ...(credentialName !== undefined && (hasFiles || caCertificates !== undefined)
      ? [invalid([...steps, 'credentialName'], 'excludes the paths of certificates: leave one of them out')]
      : []),
    ...(insecureSkipVerify === true && caCertificates !== undefined
      ? [invalid([...steps, 'insecureSkipVerify'], 'leaves nothing for caCertificates to do: leave one of them out')]
      : []),
  ];
}

/** Istio: all other fields should be empty, but for the name that is told: to a host outside, or, as in its samples, to an egress gateway. */
function ownProblems(steps: Steps, tls: DestinationRuleTls): readonly SchemaProblem[] {
  const others = Object.keys(tls).filter((name) => name !== 'mode' && name !== 'sni');
  return others.map((name) => invalid([...steps, name], `has no place beside ISTIO_MUTUAL: ${OWN}`));
}

function missing(steps: Steps): SchemaProblem {
  return { steps, code: 'FieldValueRequired', message: 'is required with MUTUAL, or credentialName' };
}
