/** How a Drain differs from other resources: it is not changed on its way, and not deleted while it keeps traffic away. */
import { StatusError } from '../http/status.ts';
import { lockNewest } from '../operations/operation-store.ts';
import type { KindBehaviour } from '../resource/kind-behaviour.ts';

/** The behaviour. */
export const drainBehaviour: KindBehaviour = {
  specFixed: 'cannot be changed: hawser drain renew makes it last longer, hawser drain restore ends it; start another for anything else',
  deleted: async (tx, { metadata }) => {
    const operation = await lockNewest(tx, metadata.uid ?? '');
    const percent = (operation?.inForce as { readonly percent?: number } | undefined)?.percent ?? 0;
    if (operation === undefined || operation.ended || percent === 0) return;
    const message = `drain ${metadata.name} keeps ${percent} % of the traffic away, which would all come back at once: hawser drain restore ${metadata.name} first`;
    throw new StatusError('Conflict', message, { kind: 'Drain', name: metadata.name });
  },
};
