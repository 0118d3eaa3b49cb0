/** The certificate that the agent shows to its proxies. */
import { issuedCertificate, type LiveCertificate, type ServerCertificate } from '@hawser/runtime/live-certificate.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { ClusterAuthority } from './authority.ts';

/** Of the cluster's own authority, renewed while it lives, and at once when another generation signs for the door: who has the cluster's trust bundle knows this agent. */
export function agentCertificate(
  authority: Pick<ClusterAuthority, 'issueAgent' | 'door' | 'onChange'>,
  log: Logger,
): Promise<LiveCertificate> {
  const issue = async (): Promise<ServerCertificate> => {
    const { certificateChainPem: cert, privateKeyPem: key } = await authority.issueAgent();
    return { cert, key };
  };
  let { door } = authority;
  const whenStale = (renew: () => void): (() => void) =>
    authority.onChange(() => {
      if (door === authority.door) return;
      door = authority.door;
      renew();
    });
  return issuedCertificate(issue, log, whenStale);
}
