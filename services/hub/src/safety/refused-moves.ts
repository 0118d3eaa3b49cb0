/**
 * Which moves guards have refused last, as far as this replica was asked since it began: for the status of rules and freezes, a hint for
 * whoever looks. What must not be lost is elsewhere: a write that was refused is in the audit, what an operation waits for in its status.
 */

/** One move that a guard was against. */
export interface RefusedMove {
  /** `KIND/NAMESPACE/NAME`, or what it would have done. */
  readonly move: string;
  readonly message: string;
  /** RFC 3339. */
  readonly firstAt: string;
  readonly lastAt: string;
  /** The replica of the hub that was asked: each tells of its own. */
  readonly replica?: string;
}

/** What is noted of one. */
export interface Refused extends Pick<RefusedMove, 'move' | 'message' | 'replica'> {
  /** Unix milliseconds. */
  readonly now: number;
}

/** Of one guard. */
const MOST_MOVES = 5;
const MOST_GUARDS = 1_000;

/** What guards refused, by the guard's name as permits say it (`keep-two`, `freeze/night`). */
export class RefusedMoves {
  readonly #byGuard = new Map<string, Map<string, RefusedMove>>();

  /** It was refused, or still is. */
  note(guard: string, { move, now, ...said }: Refused): void {
    const moves = this.#byGuard.get(guard) ?? new Map<string, RefusedMove>();
    const lastAt = new Date(now).toISOString();
    const firstAt = moves.get(move)?.firstAt ?? lastAt;
    // The newest is the last of the map.
    moves.delete(move);
    moves.set(move, { move, ...said, firstAt, lastAt });
    trim(moves, MOST_MOVES);
    this.#byGuard.delete(guard);
    this.#byGuard.set(guard, moves);
    trim(this.#byGuard, MOST_GUARDS);
  }

  /** The newest first. */
  of(guard: string): readonly RefusedMove[] {
    return [...(this.#byGuard.get(guard)?.values() ?? [])].reverse();
  }
}

function trim(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
