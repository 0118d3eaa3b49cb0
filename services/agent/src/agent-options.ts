/** What an agent is given, and what it then is to whoever started it. */
import type { Logger } from '@hawser/runtime/logger.ts';
import type { AgentConfig } from './config.ts';
import type { ControlLoop } from './control-loop.ts';
import type { Member } from './feed/membership.ts';
import type { describeWorld } from './report/debug-views.ts';
import type { SnapshotStore } from './snapshot/snapshot-store.ts';
import type { Translator } from './translate/translator.ts';

/** What an agent is made of. */
export interface AgentOptions {
  readonly config: AgentConfig;
  readonly member: Member;
  readonly log: Logger;
  /** Every how many milliseconds endpoints are checked; 0 for never. */
  readonly checkMs?: number;
  /** A test's seam: what compiles in place of the translator. */
  readonly translator?: Translator;
  /** How often it says that its cluster lives; default 10 s. */
  readonly heartbeatMs?: number;
  /** The clock of the brake on sudden losses, milliseconds. */
  readonly now?: () => number;
}

/** A running agent. */
export interface RunningAgent {
  readonly xdsPort: number;
  readonly adminPort: number;
  readonly store: SnapshotStore;
  readonly loop: ControlLoop;
  /** Whether this is the agent that publishes for its cluster. */
  readonly publishes: boolean;
  /** What it knows, as `/debug/world` shows it. */
  world(): ReturnType<typeof describeWorld>;
  /** Saves what it knows, then closes its streams. */
  stop(): Promise<void>;
}
