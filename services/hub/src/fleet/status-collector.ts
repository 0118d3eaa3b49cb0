/** Hears what agents say of their proxies and of each revision; believes only what the cluster's own key signed. */
import type { Bus } from '@hawser/bus/bus.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { FoundPolicies } from '@hawser/wire/found-policies.ts';
import { AgentStatus, RolloutStatus } from '@hawser/wire/messages.ts';
import { Compile } from 'typebox/compile';
import type { FoundAccounts } from '../adoption/found-accounts.ts';
import type { AgentAccounts, Speaker } from './agent-accounts.ts';
import type { FleetState } from './fleet-state.ts';
import { MemberMessages, type MessageRefusal } from './member-messages.ts';

/** What the collector works with. */
export interface StatusCollectorParts {
  readonly fleet: FleetState;
  readonly accounts: AgentAccounts;
  readonly log: Logger;
  /** What clusters say of the policy in their own API servers. */
  readonly found?: FoundAccounts | undefined;
  /** Counts what was refused. */
  readonly onRefused?: (reason: StatusRefusal) => void;
  readonly now?: () => number;
}

/** Why a message was not believed: as for all of members, or not of its shape. */
export type StatusRefusal = MessageRefusal | 'body';

/** Agents of one release back name no replica. */
const SUBJECT = /^hawser\.status\.([^.]+)\.(proxies|rollout|policies)(?:\.([0-9a-f]{12}))?$/;
const KEYS: Readonly<Record<string, string>> = { proxies: 'status', rollout: 'rollout', policies: 'policies' };
const agentStatus = Compile(AgentStatus);
const rolloutStatus = Compile(RolloutStatus);
const foundPolicies = Compile(FoundPolicies);

/** Subscribes; the subscription survives reconnects. Returns how to stop. */
export function collectStatus(bus: Bus, parts: StatusCollectorParts): () => void {
  const collector = new StatusCollector(parts);
  const subscription = bus.subscribe('hawser.status.>', (message) => collector.receive(message.subject, message.bytes));
  return () => subscription.stop();
}

/** The verification of status messages, apart from the connection they came by. */
export class StatusCollector {
  readonly #parts: StatusCollectorParts;
  readonly #now: () => number;
  readonly #messages: MemberMessages;

  constructor(parts: StatusCollectorParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
    this.#messages = new MemberMessages(parts.fleet);
  }

  /** Takes one message; answers why it was refused, or undefined. */
  receive(subject: string, bytes: Uint8Array): StatusRefusal | undefined {
    const refusal = this.#take(subject, bytes);
    if (refusal !== undefined) {
      this.#parts.onRefused?.(refusal);
      this.#parts.log.debug({ subject, refusal }, 'refused a status message');
    }
    return refusal;
  }

  #take(subject: string, bytes: Uint8Array): StatusRefusal | undefined {
    const [, cluster = '', topic = '', replica = ''] = SUBJECT.exec(subject) ?? [];
    const opened = this.#messages.open({ cluster, stream: `${topic}/${replica}`, key: KEYS[topic] ?? '' }, bytes);
    if (typeof opened === 'string') return opened;
    return opened === undefined ? undefined : this.#apply({ cluster, replica }, topic, opened.body);
  }

  #apply(speaker: Speaker, topic: string, body: unknown): StatusRefusal | undefined {
    const { accounts, fleet } = this.#parts;
    const at = this.#now();
    if (topic === 'proxies' && agentStatus.Check(body)) accounts.putStatus(speaker, body, at);
    else if (topic === 'rollout' && rolloutStatus.Check(body)) accounts.putRollout(speaker, body, at);
    else if (topic === 'policies' && foundPolicies.Check(body)) this.#parts.found?.put(speaker.cluster, body, at);
    else return 'body';
    fleet.heard(speaker.cluster, at);
    return undefined;
  }
}
