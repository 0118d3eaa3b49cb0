/** The connection of an agent to NATS, with credentials that are renewed while it stands. */
import { type Bus, connectBus } from '@hawser/bus/bus.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { inboxPrefix } from '@hawser/wire/subjects.ts';
import { keepRenewed, type Member } from './membership.ts';

/** Connects as the member's cluster; NATS may be away. `onRenewed` hears when the new credentials end, in milliseconds since 1970. */
export async function joinBus(
  member: Member,
  options: { readonly log: Logger; readonly onRenewed: (ends: number) => void },
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
      onRenewed(Date.parse(membership.natsJwtExpiresAt));
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
