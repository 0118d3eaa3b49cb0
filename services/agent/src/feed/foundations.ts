/** What an agent has on disk from before, opened. */
import { join } from 'node:path';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { AgentConfig } from '../config.ts';
import type { OpenPolicies } from '../discover/policy-source.ts';
import { registryDirectory } from '../discover/registry-directory.ts';
import type { RegistryPlace } from '../discover/registry-place.ts';
import type { OpenRegistry } from '../discover/registry-source.ts';
import type { GatewayName } from '../multicluster/backing-kinds.ts';
import type { FollowMulticluster } from '../multicluster/follow-multicluster.ts';
import type { ClusterAuthority } from '../trust/authority.ts';
import { openAuthority } from '../trust/open-authority.ts';
import { outboundGatewayVerifier } from '../trust/outbound-gateway.ts';
import { type ProxyTokenVerifier, proxyTokenVerifier } from '../trust/proxy-tokens.ts';
import { loadLastKnownGood } from './last-known-good.ts';
import type { Member } from './membership.ts';
import { replicaName } from './replica-name.ts';
import { RevisionCounter } from './revision-counter.ts';
import { acceptSavedState, type SavedState } from './saved-state.ts';

/** What an agent stands on before it hears anything. */
export interface Foundations {
  /** Its name among the agents of its cluster. */
  readonly replica: string;
  readonly revisions: RevisionCounter;
  readonly authority: ClusterAuthority;
  readonly verify: ProxyTokenVerifier;
  readonly openRegistry: OpenRegistry;
  /** Undefined where the cluster is a directory of files. */
  readonly openPolicies: OpenPolicies | undefined;
  /** Keeps the MCS API of the source; undefined where that has none. */
  readonly followMulticluster?: FollowMulticluster;
  /** The last good state, if one was saved in this epoch. */
  readonly saved: SavedState | undefined;
}

/** Reads the member's folders; what is not there is made. Throws where a file is there and cannot be used. */
export async function openFoundations(
  member: Member,
  log: Logger,
  { caKey, registry, ...mode }: Pick<AgentConfig, 'caKey' | 'registry' | 'gatewayMode' | 'outboundGateway'>,
): Promise<Foundations> {
  const { cluster, epoch, trustDomain } = member.membership;
  const replica = await replicaName(member.agentDir);
  const own = await proxyTokenVerifier(member.identityDir, cluster);
  const outboundGateway = mode.gatewayMode ? mode.outboundGateway : undefined;
  const source = await openSource(registry, { cluster, own, outboundGateway });
  return {
    revisions: await RevisionCounter.open(join(member.agentDir, 'revision'), (error) =>
      log.error({ error: messageOf(error) }, 'revisions could not be reserved'),
    ),
    replica,
    authority: await openAuthority(member.identityDir, trustDomain, { caKey, replica, log }),
    ...{ ...source, verify: outboundGatewayVerifier(source.verify, mode) },
    saved: await loadLastKnownGood(member.agentDir, (content) => acceptSavedState(content, cluster, epoch), log),
  };
}

/** The source of the own cluster's objects, and who says what a proxy's token proves. */
async function openSource(
  place: RegistryPlace,
  parts: { readonly cluster: string; readonly own: ProxyTokenVerifier; readonly outboundGateway: GatewayName | undefined },
): Promise<Pick<Foundations, 'verify' | 'openRegistry' | 'openPolicies' | 'followMulticluster'>> {
  if (place.kind === 'directory') return { verify: parts.own, openRegistry: registryDirectory(place.path), openPolicies: undefined };
  const { openKubernetes } = await import('../discover/kubernetes/open-kubernetes.ts');
  return openKubernetes(place, parts);
}
