/** Sidecars whose servers for callers outside of the mesh cannot end TLS as written: their Secrets are not there, or not whole. Pure. */
import type { SidecarSpec } from '@hawser/model/istio/specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { Credentials } from '../../state/credential.ts';
import { ownTls } from '../edge/terminated-tls.ts';
import { policyKeyOf } from '../policy-tables.ts';
import type { RuleProblem } from '../routes/rule-problems.ts';

/** What of the Sidecars in force is not done as written. */
export function ingressProblems(policies: ReadonlyMap<string, Resource>, credentials: Credentials): RuleProblem[] {
  return [...policies.values()]
    .filter(({ kind }) => kind === 'Sidecar')
    .flatMap((sidecar) => {
      const source = { namespace: sidecar.metadata.namespace ?? '', credentials };
      return ((sidecar.spec as SidecarSpec).ingress ?? []).flatMap(({ tls }, index) => {
        if (tls === undefined || tls.httpsRedirect === true) return [];
        const { problems } = ownTls({ tls, isHttp: true }, source);
        return problems.map(({ field, message }) => ({
          policy: policyKeyOf(sidecar),
          field: `spec.ingress[${index}].tls${field}`,
          message,
        }));
      });
    });
}
