/** The certificate that the agent shows to its proxies. */
import { issuedCertificate, type LiveCertificate, type ServerCertificate } from '@hawser/runtime/live-certificate.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { ClusterAuthority, IssuedCertificate } from './authority.ts';

/** Of the cluster's own authority, renewed while it lives, and at once when another generation signs for the door: who has the cluster's trust bundle knows this agent. */
export function agentCertificate(
  authority: Pick<ClusterAuthority, 'issueAgent' | 'door' | 'onChange'>,
  log: Logger,
): Promise<LiveCertificate> {
  return doorCertificate(authority, () => authority.issueAgent(), log);
}

/** The same of another door of the agent's, which API servers know by these names in DNS. */
export function serverCertificate(
  authority: Pick<ClusterAuthority, 'issueServer' | 'door' | 'onChange'>,
  names: readonly string[],
  log: Logger,
): Promise<LiveCertificate> {
  return doorCertificate(authority, () => authority.issueServer(names), log);
}

function doorCertificate(
  authority: Pick<ClusterAuthority, 'door' | 'onChange'>,
  issued: () => Promise<IssuedCertificate>,
  log: Logger,
): Promise<LiveCertificate> {
  const issue = async (): Promise<ServerCertificate> => {
    const { certificateChainPem: cert, privateKeyPem: key } = await issued();
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
