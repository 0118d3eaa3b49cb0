/** What an agent does only where it is asked for. Other agents do without its modules. */
import type { Registry } from '@hawser/runtime/metrics.ts';
import type { AgentOptions } from './agent-options.ts';
import type { Warnings } from './report/warnings.ts';
import type { ClusterAuthority } from './trust/authority.ts';

/** What an agent has that these are made of. */
export interface AskedAgent extends Pick<AgentOptions, 'config' | 'member' | 'log'> {
  readonly authority: ClusterAuthority;
  readonly warnings: Pick<Warnings, 'standing'>;
  readonly registry: Registry;
  readonly publishes: () => boolean;
}

/** Starts injection (`--inject`), and the keeping of the trust bundle (`--trust-config-map`). Resolves with how to stop. */
export async function startIfAsked(agent: AskedAgent): Promise<() => Promise<void>> {
  const stopKeeping = await keepTrust(agent);
  const injection = await inject(agent).catch((error: unknown) => {
    stopKeeping();
    throw error;
  });
  return async () => {
    stopKeeping();
    await injection?.stop();
  };
}

async function inject({ config, member, ...parts }: AskedAgent): Promise<{ stop(): Promise<void> } | undefined> {
  if (config.inject === undefined) return undefined;
  const { startInjection } = await import('./inject/start-injection.ts');
  return startInjection({ ...parts, file: config.inject, place: config.registry, cluster: member.membership.cluster });
}

async function keepTrust({ config, ...parts }: AskedAgent): Promise<() => void> {
  const { trustConfigMap, registry: place } = config;
  if (trustConfigMap === undefined || place.kind !== 'kubernetes') return () => undefined;
  const { keepTrustConfigMap } = await import('./trust/trust-config-map.ts');
  return keepTrustConfigMap({ ...parts, configMap: trustConfigMap, place });
}
