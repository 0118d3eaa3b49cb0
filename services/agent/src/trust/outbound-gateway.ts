/** Which proxies may call in their own name for workloads without a sidecar (decision 0040). */
import type { AgentConfig } from '../config.ts';
import type { ProxyTokenVerifier } from './proxy-tokens.ts';

/** Says so of tokens of the outbound gateway's account, which has the name of its Service; of none without gateway mode. */
export function outboundGatewayVerifier(
  verify: ProxyTokenVerifier,
  { gatewayMode, outboundGateway }: Pick<AgentConfig, 'gatewayMode' | 'outboundGateway'>,
): ProxyTokenVerifier {
  if (!gatewayMode) return verify;
  return async (token) => {
    const identity = await verify(token);
    const isIts = identity?.namespace === outboundGateway.namespace && identity.serviceAccount === outboundGateway.name;
    return isIts ? { ...identity, outboundGateway: true } : identity;
  };
}
