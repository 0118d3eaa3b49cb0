/** Moves rotations on while this replica leads: woken by what agents say, kept honest by a poll; what it decides is in the database first. */
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Database } from '../db/database.ts';
import type { RotationGauge } from '../distribute/hub-metrics.ts';
import { LookLoop } from '../distribute/look-loop.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { requireTerm } from '../resource/desired-state-store.ts';
import { evidenceFor } from './fleet-evidence.ts';
import { advance, type Rotation, waiting } from './rotation-state.ts';
import { findRotation, rotationsUnderWay, updateRotation } from './rotation-store.ts';

/** What it works with. */
export interface RotationLoopParts {
  readonly database: Database;
  readonly context: FleetContext;
  /** Calls back when agents said something. Returns how to stop. */
  readonly onHeard: (listener: () => void) => () => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const POLL_MS = 1_000;
/** Agents answer in a rush. */
const RUSH_MS = 25;

/** One replica's part in it. */
export class RotationLoop {
  readonly #parts: RotationLoopParts;
  #underWay: readonly Rotation[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  readonly #loop: LookLoop;

  constructor(parts: RotationLoopParts) {
    this.#parts = parts;
    const { log, signal } = parts;
    this.#loop = new LookLoop({
      ...{ look: () => this.#look(), everyMs: POLL_MS, rushMs: RUSH_MS, log, signal },
      problem: 'rotations could not be moved on, trying again',
      onFailure: () => this.#readAgain(),
    });
  }

  /** Something was started, or steered. */
  hint(): void {
    this.#readAgain();
    this.#loop.wake();
  }

  /** For the metrics: what was under way when this replica last looked; nothing while it does not lead. */
  gauges(): readonly RotationGauge[] {
    const { context } = this.#parts;
    return this.#underWay.map((rotation) => {
      const { cluster, kind, phase, createdAt } = rotation;
      const blocking = waiting(rotation, evidenceFor(context, cluster)).filter(({ blocks }) => blocks);
      const missing = blocking.reduce((sum, { proxies }) => sum + Math.max(1, proxies.length), 0);
      return { cluster, kind, phase, ageSeconds: (context.now() - Date.parse(createdAt)) / 1_000, missing };
    });
  }

  /** Runs until the signal is aborted; survives every failure of the database. */
  async run(): Promise<void> {
    const stopHearing = this.#parts.onHeard(() => {
      if (this.#underWay.length > 0) this.#loop.wake();
    });
    await this.#loop.run();
    stopHearing();
  }

  #readAgain(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  async #look(): Promise<void> {
    const { context, database } = this.#parts;
    const term = context.distribution.replica?.term;
    if (term === undefined) {
      this.#underWay = [];
      return this.#readAgain();
    }
    if (performance.now() - this.#readAt >= POLL_MS) {
      this.#underWay = await database.transaction(rotationsUnderWay, { accessMode: 'read only' });
      this.#readAt = performance.now();
    }
    for (const rotation of this.#underWay) {
      if (advance(rotation, evidenceFor(context, rotation.cluster)) !== rotation) await this.#move(rotation.id, term);
    }
  }

  /** Decides anew over what is stored, while nobody else can change it. */
  async #move(id: string, term: number): Promise<void> {
    const { context, database, log } = this.#parts;
    const after = await database.transaction(async (tx) => {
      await requireTerm(tx, term);
      const before = await findRotation(tx, id, 'lock');
      if (before === undefined) return undefined;
      const evidence = evidenceFor(context, before.cluster);
      const next = advance(before, evidence);
      if (next === before) return undefined;
      const reason = `${before.cluster}: ${before.phase} → ${next.phase}${next.message === undefined ? '' : `: ${next.message}`}`;
      await updateRotation(tx, before, next, { actor: 'hub', verb: 'advance', reason, now: evidence.now });
      return next;
    });
    this.hint();
    if (after !== undefined) log.info({ rotation: id, cluster: after.cluster, phase: after.phase }, 'a rotation went on');
  }
}
