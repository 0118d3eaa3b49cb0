/** What an agent has on disk from before, opened. */
import { join } from 'node:path';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { AgentConfig } from '../config.ts';
import { inClusterAccess, kubeconfigAccess } from '../discover/kubernetes/api-access.ts';
import { ApiClient } from '../discover/kubernetes/api-client.ts';
import { kubernetesRegistry } from '../discover/kubernetes/kubernetes-registry.ts';
import { registryDirectory } from '../discover/registry-directory.ts';
import type { RegistryPlace } from '../discover/registry-place.ts';
import type { OpenRegistry } from '../discover/registry-source.ts';
import type { ClusterAuthority } from '../trust/authority.ts';
import { openAuthority } from '../trust/open-authority.ts';
import { type ProxyTokenVerifier, proxyTokenVerifier } from '../trust/proxy-tokens.ts';
import { eitherVerifier, tokenReviewVerifier } from '../trust/token-review.ts';
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
  /** The last good state, if one was saved in this epoch. */
  readonly saved: SavedState | undefined;
}

/** Reads the member's folders; what is not there is made. Throws where a file is there and cannot be used. */
export async function openFoundations(
  member: Member,
  log: Logger,
  { caKey, registry }: Pick<AgentConfig, 'caKey' | 'registry'>,
): Promise<Foundations> {
  const { cluster, epoch, trustDomain } = member.membership;
  const replica = await replicaName(member.agentDir);
  return {
    revisions: await RevisionCounter.open(join(member.agentDir, 'revision'), (error) =>
      log.error({ error: messageOf(error) }, 'revisions could not be reserved'),
    ),
    replica,
    authority: await openAuthority(member.identityDir, trustDomain, { caKey, replica, log }),
    ...openSource(registry, { cluster, own: await proxyTokenVerifier(member.identityDir, cluster) }),
    saved: await loadLastKnownGood(member.agentDir, (content) => acceptSavedState(content, cluster, epoch), log),
  };
}

/** The source of the own cluster's objects, and who says what a proxy's token proves. */
function openSource(
  place: RegistryPlace,
  { cluster, own }: { readonly cluster: string; readonly own: ProxyTokenVerifier },
): Pick<Foundations, 'verify' | 'openRegistry'> {
  if (place.kind === 'directory') return { verify: own, openRegistry: registryDirectory(place.path) };
  const access = place.kubeconfig === undefined ? inClusterAccess() : kubeconfigAccess(place.kubeconfig, place.context);
  const api = new ApiClient(access);
  const reviewed = tokenReviewVerifier({ api, cluster, edgeAccounts: place.edgeAccounts });
  return { verify: eitherVerifier(own, reviewed), openRegistry: kubernetesRegistry({ api, secretNamespaces: place.secretNamespaces }) };
}
