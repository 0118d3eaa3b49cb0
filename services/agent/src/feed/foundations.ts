/** What an agent has on disk from before, opened. */
import { join } from 'node:path';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { type Authority, openAuthority } from '../trust/authority.ts';
import { proxyTokenVerifier } from '../trust/proxy-tokens.ts';
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
  readonly authority: Authority;
  readonly verify: Awaited<ReturnType<typeof proxyTokenVerifier>>;
  /** The last good state, if one was saved in this epoch. */
  readonly saved: SavedState | undefined;
}

/** Reads the member's folders; what is not there is made. Throws where a file is there and cannot be used. */
export async function openFoundations(member: Member, log: Logger): Promise<Foundations> {
  const { cluster, epoch, trustDomain } = member.membership;
  return {
    revisions: await RevisionCounter.open(join(member.agentDir, 'revision'), (error) =>
      log.error({ error: messageOf(error) }, 'revisions could not be reserved'),
    ),
    replica: await replicaName(member.agentDir),
    authority: await openAuthority(member.identityDir, trustDomain),
    verify: await proxyTokenVerifier(member.identityDir, cluster),
    saved: await loadLastKnownGood(member.agentDir, (content) => acceptSavedState(content, cluster, epoch), log),
  };
}
