/** Metrics of the cluster's authority. They are read when they are asked for. */
import { X509Certificate } from 'node:crypto';
import { gauges, type Registry } from '@hawser/runtime/metrics.ts';
import type { ClusterAuthority } from '../trust/authority.ts';
import type { WorkloadCertificates } from '../trust/workload-certificates.ts';

/** What is measured. */
export interface TrustGauges {
  readonly authority: Pick<ClusterAuthority, 'account' | 'active' | 'trustBundle'>;
  readonly identities: Pick<WorkloadCertificates, 'firstEnd'>;
}

/** Registers them. */
export function registerTrustMetrics(registry: Registry, of: TrustGauges): void {
  gauges(registry, 'agent_certificate_expiry_seconds', () => expiries(of));
  gauges(registry, 'agent_identities', () => {
    const { onActive, onOld } = of.authority.account().identities;
    return [[{ generation: 'active' }, onActive] as const, [{ generation: 'old' }, onOld] as const];
  });
}

/** Of the root in the bundle that ends first, of what signs, and of the certificate in use that ends first. */
function* expiries({ authority, identities }: TrustGauges) {
  const left = (end: number): number => Math.max(0, (end - Date.now()) / 1000);
  const roots = authority.trustBundle.map((pem) => new X509Certificate(pem).validToDate.getTime());
  yield [{ of: 'root' }, left(Math.min(...roots))] as const;
  const active = authority.account().generations.find(({ id }) => id === authority.active);
  if (active !== undefined) yield [{ of: 'signer' }, left(Date.parse(active.notAfter))] as const;
  if (identities.firstEnd !== undefined) yield [{ of: 'workload' }, left(identities.firstEnd)] as const;
}
