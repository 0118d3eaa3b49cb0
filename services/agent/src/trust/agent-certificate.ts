/** The certificate that the agent shows to its proxies. */
import { issuedCertificate, type LiveCertificate, type ServerCertificate } from '@hawser/runtime/live-certificate.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Authority } from './authority.ts';

/** Of the cluster's own authority, renewed while it lives: who has the cluster's trust bundle knows this agent. */
export function agentCertificate(authority: Authority, log: Logger): Promise<LiveCertificate> {
  const issue = async (): Promise<ServerCertificate> => {
    const { certificateChainPem: cert, privateKeyPem: key } = await authority.issueAgent();
    return { cert, key };
  };
  return issuedCertificate(issue, log);
}
