/** The agents of one cluster, put together: the others hear of this one's proxies and word, and this one of theirs. */
import type { Bus } from '@hawser/bus/bus.ts';
import type { LocalSource } from '../discover/local-source.ts';
import type { LocalDrains } from '../local-drain.ts';
import type { AgentFeed } from './agent-feed.ts';
import type { Foundations } from './foundations.ts';
import type { Member } from './membership.ts';
import { Replicas } from './replicas.ts';

/** What they are told from, and what they tell. */
export interface MeetingParts {
  readonly bus: Bus;
  readonly member: Member;
  readonly base: Foundations;
  readonly feed: Pick<AgentFeed, 'term' | 'heard'>;
  readonly local: LocalSource;
  readonly drains: LocalDrains;
}

/** Speaks and listens until it is stopped. */
export function meetReplicas({ bus, member, base, feed, local, drains }: MeetingParts): Replicas {
  return new Replicas({
    ...{ bus, member, replica: base.replica },
    current: () => ({ term: feed.term, ...local.ownProxies(), localDrain: drains.word }),
    nextRevision: () => base.revisions.next(),
    onBeat: (beat) => {
      base.revisions.raise(beat.revision);
      if (beat.term > 0) feed.heard(beat.term);
      local.setElsewhere(beat.replica, beat);
      drains.hear(beat.localDrain);
    },
    onSilent: (replica) => local.setElsewhere(replica, undefined),
  });
}
