/** The connection of an agent to NATS, with credentials that are renewed while it stands. */
import { type Bus, connectBus } from '@hawser/bus/bus.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Membership } from '@hawser/wire/enrolment.ts';
import { inboxPrefix } from '@hawser/wire/subjects.ts';
import { Hurry } from './hurry.ts';
import { keepRenewed, type Member } from './membership.ts';

/** What the connection needs around it. */
export interface JoinBusParts {
  readonly log: Logger;
  /** Hears of new credentials. */
  onRenewed(membership: Membership): void;
  /** Why the hub gives no credentials any more, in its words; undefined once it does. */
  onProblem(problem: string | undefined): void;
}

/** Connects as the member's cluster; NATS may be away. When NATS refuses the credentials, the hub is asked for others, or for the reason. */
export async function joinBus(member: Member, options: JoinBusParts): Promise<{ readonly bus: Bus; stop(): Promise<void> }> {
  const { log, onRenewed, onProblem } = options;
  const { cluster, natsUrls, natsCa, natsJwt } = member.membership;
  const credentials = (jwt: string) => ({ jwt, seed: member.natsSeed });
  const hurry = new Hurry();
  const bus = await connectBus({
    ...{ urls: natsUrls, ca: natsCa, name: `agent ${cluster}`, credentials: credentials(natsJwt) },
    ...{ inboxPrefix: inboxPrefix(cluster), log, onRefused: () => hurry.now() },
  });
  const renewal = new AbortController();
  const renewed = keepRenewed(member, {
    ...{ log, signal: renewal.signal, hurry, onProblem },
    onRenewed: (membership) => {
      onRenewed(membership);
      bus.renewCredentials(credentials(membership.natsJwt));
    },
  });
  const stop = async (): Promise<void> => {
    renewal.abort();
    await renewed;
    await bus.close();
  };
  return { bus, stop };
}
