/** The counting of traffic, put together. */
import { randomUUID } from 'node:crypto';
import type { Bus } from '@hawser/bus/bus.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { gauge, type Registry } from '@hawser/runtime/metrics.ts';
import type { Member } from '../feed/membership.ts';
import type { RevisionCounter } from '../feed/revision-counter.ts';
import type { Federation } from '../state/federation.ts';
import { readingPeriodMs } from './reading-period.ts';
import { SavedTraffic } from './saved-traffic.ts';
import { TrafficLedger } from './traffic-ledger.ts';
import { TrafficReporter, type TrafficReporterParts } from './traffic-reporter.ts';

/** What it is made of. */
export interface TrafficParts extends Pick<TrafficReporterParts, 'proxies' | 'isShared' | 'plain'> {
  readonly bus: Bus;
  readonly member: Member;
  readonly replica: string;
  readonly revisions: Pick<RevisionCounter, 'next'>;
  readonly log: Logger;
  readonly registry: Registry;
  readonly federation: Pick<Federation, 'placeOf' | 'policies'>;
}

/** Goes on with what was saved, and counts until it is stopped. */
export async function startTraffic(parts: TrafficParts): Promise<TrafficReporter> {
  const { bus, member, replica, revisions, log, registry, federation, ...about } = parts;
  const disk = new SavedTraffic(member.agentDir, log);
  const ledger = new TrafficLedger({ instance: randomUUID(), began: Date.now() }, await disk.read(), {
    placeOf: (name) => federation.placeOf(name),
  });
  const { cluster, epoch } = member.membership;
  const reporter = new TrafficReporter({
    ...{ bus, cluster, epoch, replica, signer: member.signer, log, ledger, disk },
    nextRevision: () => revisions.next(),
    periodMs: (proxies) => readingPeriodMs(federation.policies, proxies),
    ...about,
  });
  registerTrafficMetrics(registry, { series: () => ledger.totals.size, unread: () => reporter.missing });
  return reporter;
}

/** What can be seen of the counting from outside. */
export function registerTrafficMetrics(registry: Registry, { series, unread }: { series(): number; unread(): number }): void {
  gauge(registry, 'agent_traffic_series', series);
  gauge(registry, 'agent_traffic_unread_proxies', unread);
}
