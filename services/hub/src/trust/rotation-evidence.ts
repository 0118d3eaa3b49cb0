/** PURE: what rotations are judged by: the agents' own accounts, and how long ago each cluster was heard. */
import type { TrustAccount } from '@hawser/wire/trust.ts';

/** One agent that is there. */
export interface AgentEvidence {
  /** Proxies with a stream to it, by name. */
  readonly proxies: readonly string[];
  /** Absent from agents of an earlier release. */
  readonly trust: TrustAccount | undefined;
}

/** One cluster. */
export interface MemberEvidence {
  readonly cluster: string;
  /** Unix milliseconds of its agents' last word; undefined when this hub has heard none. */
  readonly heardAt: number | undefined;
  readonly agents: readonly AgentEvidence[];
}

/** Everything known at one time. */
export interface Evidence {
  /** Unix milliseconds. */
  readonly now: number;
  /** Since when this hub hears the bus; undefined while it does not. */
  readonly busSince: number | undefined;
  /** Of the rotating cluster's enrolment; undefined when it is no member. */
  readonly epoch: number | undefined;
  readonly trustDomain: string;
  /** The clusters that trust the rotating one, itself included. */
  readonly members: readonly MemberEvidence[];
}

/** Whether a cluster speaks (`present`), fell silent a moment ago, or is gone for longer than it is waited for. */
export type Presence = 'present' | 'silent' | 'away';

/** Agents speak every 5 s. Too short a time holds a rotation up, and harms nobody. */
const SILENT_AFTER_MS = 12_000;

/** How a cluster is there. What this hub could not hear, because it or the bus was not there, is held against nobody. */
export function presenceOf(member: MemberEvidence, evidence: Evidence, awayAfterMs: number): Presence {
  const { now, busSince } = evidence;
  if (busSince === undefined) return 'silent';
  if (member.heardAt !== undefined && now - member.heardAt < SILENT_AFTER_MS && member.agents.length > 0) return 'present';
  return now - Math.max(member.heardAt ?? 0, busSince) > awayAfterMs ? 'away' : 'silent';
}
