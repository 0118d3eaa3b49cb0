/** `hawser agent run`: one cluster's agent, until it is told to stop. */
import { createLogger } from '@hawser/runtime/logger.ts';
import { createRunGroup } from '@hawser/runtime/run-group.ts';
import { startAgent } from './agent.ts';
import { type AgentFlags, loadAgentConfig } from './config.ts';
import { loadOrEnroll } from './feed/membership.ts';

/** Joins if the cluster has not joined yet, and serves; resolves with the exit code when it has stopped. */
export async function runAgent(flags: AgentFlags): Promise<number> {
  const config = loadAgentConfig(flags);
  const log = createLogger('agent');
  const group = createRunGroup(log);
  const { stateDir, identityDir, token, cluster, hubCa } = config;
  const member = await loadOrEnroll({ stateDir, identityDir, token, cluster, hubCa, log });
  const agent = await startAgent({ config, member, log: log.child({ cluster: member.membership.cluster }) });
  group.onStop('agent', () => agent.stop());
  await group.stopped;
  return 0;
}
