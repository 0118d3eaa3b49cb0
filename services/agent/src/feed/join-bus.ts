/** The connection of an agent to NATS, with credentials that are renewed while it stands. */
import { type Bus, connectBus } from '@hawser/bus/bus.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Membership } from '@hawser/wire/enrolment.ts';
import { inboxPrefix } from '@hawser/wire/subjects.ts';
import { keepRenewed, type Member } from './membership.ts';

/** Connects as the member's cluster; NATS may be away. `onRenewed` hears of new credentials. */
export async function joinBus(
  member: Member,
  options: { readonly log: Logger; readonly onRenewed: (membership: Membership) => void },
): Promise<{ readonly bus: Bus; stop(): Promise<void> }> {
  const { log, onRenewed } = options;
  const { cluster, natsUrls, natsCa, natsJwt } = member.membership;
  const credentials = (jwt: string) => ({ jwt, seed: member.natsSeed });
  const bus = await connectBus({
    ...{ urls: natsUrls, ca: natsCa, name: `agent ${cluster}`, credentials: credentials(natsJwt) },
    ...{ inboxPrefix: inboxPrefix(cluster), log },
  });
  const renewal = new AbortController();
  const renewed = keepRenewed(member, {
    ...{ log, signal: renewal.signal },
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
