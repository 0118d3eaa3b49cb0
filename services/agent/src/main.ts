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
  const member = await loadOrEnroll({ stateDir: config.stateDir, token: config.token, cluster: config.cluster, hubCa: config.hubCa, log });
  const agent = await startAgent({ config, member, log: log.child({ cluster: member.membership.cluster }) });
  group.onStop('agent', () => agent.stop());
  await group.stopped;
  return 0;
}
