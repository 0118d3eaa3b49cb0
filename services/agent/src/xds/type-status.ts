/** A stream's state, type by type, as `proxy-status` shows it. */
import type { TypeStatus, XdsType } from '@hawser/wire/messages.ts';
import type { StreamState } from './stream-machine.ts';
import { PUSH_ORDER } from './type-urls.ts';

/** The status of each type; `sent` and `acked` are 16 hex digits over names and versions, empty when nothing was. */
export function typeStatuses(machine: StreamState): Record<XdsType, TypeStatus> {
  const entries = PUSH_ORDER.map((type): [XdsType, TypeStatus] => [type, statusOf(machine, type)]);
  return Object.fromEntries(entries) as Record<XdsType, TypeStatus>;
}

function statusOf(machine: StreamState, type: XdsType): TypeStatus {
  const subscription = machine.subscription(type);
  const { refusal } = subscription;
  const resource = subscription.refusals[0]?.name;
  return {
    ...subscription.digests,
    state: stateOf(subscription),
    ...(refusal === undefined ? {} : { error: refusal, ...(resource === undefined ? {} : { resource }) }),
  };
}

function stateOf(subscription: ReturnType<StreamState['subscription']>): TypeStatus['state'] {
  if (subscription.inFlight || subscription.hasWork) return 'PENDING';
  if (subscription.refused) return 'NACKED';
  if (subscription.holdsRemovals) return 'PENDING';
  return subscription.digests.sent === '' && subscription.progress.responses === 0 ? 'NOT_SENT' : 'SYNCED';
}
