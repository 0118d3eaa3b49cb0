import type { Registry } from '@hawser/runtime/metrics.ts';
import type { AgentOptions } from '../agent-options.ts';
import type { Warnings } from '../report/warnings.ts';
import type { ClusterAuthority } from '../trust/authority.ts';

/** What an agent has that injection is made of. */
export interface InjectingAgent extends Pick<AgentOptions, 'config' | 'member' | 'log'> {
  readonly authority: ClusterAuthority;
  readonly warnings: Pick<Warnings, 'standing'>;
  readonly registry: Registry;
}

/** Starts injection where `--inject` is given; other agents do without its modules. Resolves with how to stop. */
export async function injectIfAsked({ config, member, ...parts }: InjectingAgent): Promise<() => Promise<void>> {
  if (config.inject === undefined) return async () => undefined;
  const { startInjection } = await import('./start-injection.ts');
  const injection = await startInjection({ ...parts, file: config.inject, place: config.registry, cluster: member.membership.cluster });
  return () => injection.stop();
}
