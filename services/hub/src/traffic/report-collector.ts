/** Hears what agents counted; every replica of the hub does. */
import type { Bus } from '@hawser/bus/bus.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { trafficSubject } from '@hawser/wire/subjects.ts';
import { TrafficReport } from '@hawser/wire/traffic.ts';
import { Compile } from 'typebox/compile';
import type { FleetState } from '../fleet/fleet-state.ts';
import { MemberMessages, type MessageRefusal } from '../fleet/member-messages.ts';
import type { TrafficMemory } from './traffic-memory.ts';

/** What it works with. */
export interface ReportCollectorParts {
  readonly fleet: FleetState;
  readonly memory: Pick<TrafficMemory, 'receive'>;
  readonly log: Logger;
  /** Counts what was refused. */
  readonly onRefused?: (reason: MessageRefusal | 'body') => void;
}

const SUBJECT = /^hawser\.traffic\.([^.]+)\.([0-9a-f]{12})$/;
const report = Compile(TrafficReport);

/** Subscribes; the subscription survives reconnects. Returns how to stop. */
export function collectTraffic(bus: Bus, { fleet, memory, log, onRefused }: ReportCollectorParts): () => void {
  const messages = new MemberMessages(fleet);
  const take = (subject: string, bytes: Uint8Array): MessageRefusal | 'body' | undefined => {
    const [, cluster = '', replica = ''] = SUBJECT.exec(subject) ?? [];
    const opened = messages.open({ cluster, stream: replica, key: 'traffic' }, bytes);
    if (opened === undefined || typeof opened === 'string') return opened;
    if (!report.Check(opened.body)) return 'body';
    memory.receive(cluster, replica, opened.body);
    return undefined;
  };
  const subscription = bus.subscribe(trafficSubject('*', '*'), ({ subject, bytes }) => {
    const refusal = take(subject, bytes);
    if (refusal === undefined) return;
    onRefused?.(refusal);
    log.debug({ subject, refusal }, 'refused a report of traffic');
  });
  return () => subscription.stop();
}
