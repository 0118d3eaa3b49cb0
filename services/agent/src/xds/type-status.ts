/** A stream's state, type by type, as `proxy-status` shows it. */
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import type { TypeStatus, XdsType } from '@hawser/wire/messages.ts';
import type { DeltaStream } from './delta-stream.ts';
import { PUSH_ORDER } from './type-urls.ts';

/** The status of each type; `sent` and `acked` are 16 hex digits over the sorted (name, version), empty when nothing was. */
export function typeStatuses(machine: DeltaStream): Record<XdsType, TypeStatus> {
  const entries = PUSH_ORDER.map((type): [XdsType, TypeStatus] => [type, statusOf(machine, type)]);
  return Object.fromEntries(entries) as Record<XdsType, TypeStatus>;
}

function statusOf(machine: DeltaStream, type: XdsType): TypeStatus {
  const subscription = machine.subscription(type);
  const { refusal } = subscription;
  return {
    sent: versionOf(subscription.sentVersions),
    acked: versionOf(subscription.ackedVersions.entries().map(([name, { version }]): [string, string] => [name, version])),
    state: stateOf(subscription),
    ...(refusal === undefined ? {} : { error: refusal }),
  };
}

function stateOf(subscription: ReturnType<DeltaStream['subscription']>): TypeStatus['state'] {
  if (subscription.inFlight || subscription.hasWork) return 'PENDING';
  if (subscription.refused) return 'NACKED';
  if (subscription.holdsRemovals) return 'PENDING';
  return subscription.sentVersions.size === 0 && subscription.progress.responses === 0 ? 'NOT_SENT' : 'SYNCED';
}

function versionOf(versions: Iterable<[string, string]>): string {
  const lines = [...versions].map(([name, version]) => `${name} ${version}`).sort();
  return lines.length === 0 ? '' : sha256(lines.join('\n')).slice(0, 16);
}
