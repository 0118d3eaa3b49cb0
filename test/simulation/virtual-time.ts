/**
 * A clock that nobody waits for: every timer of the process is an event in one queue, run in order of its due time. What runs
 * belongs to an actor, so that one can be paused (SIGSTOP) or crashed (SIGKILL) while the others go on.
 */

/** One process of the simulated federation. */
export interface Actor {
  readonly name: string;
  /** Rises with each crash: what the life before had planned never happens. */
  life: number;
  paused: boolean;
}

interface Event {
  at: number;
  readonly order: number;
  readonly actor: Actor;
  readonly life: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** What a timer function gives back; Node's own interface, as far as it is used. */
class Timer {
  event: Event | undefined;

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  cancel(): void {
    if (this.event !== undefined) this.event.cancelled = true;
  }
}

/** More events than any sound run has: two actors keep each other busy without time passing. */
const MOST_EVENTS = 2_000_000;

/** Time, and what happens in it. */
export class VirtualTime {
  /** Milliseconds since 1970. */
  now: number;
  readonly world: Actor = { name: 'world', life: 0, paused: false };
  #current: Actor = this.world;
  #order = 0;
  #events = 0;
  readonly #heap: Event[] = [];
  readonly #held = new Map<Actor, Event[]>();
  readonly #drain: () => void;

  /** `drain` runs every pending microtask. */
  constructor(start: number, drain: () => void) {
    this.now = start;
    this.#drain = drain;
  }

  /** Whose code is running. */
  get current(): Actor {
    return this.#current;
  }

  get events(): number {
    return this.#events;
  }

  /** Plans an event for an actor; dropped when the actor crashes first. */
  plan(actor: Actor, delayMs: number, run: () => void): Event {
    const event = { at: this.now + Math.max(0, delayMs), order: this.#order, actor, life: actor.life, run, cancelled: false };
    this.#order += 1;
    this.#push(event);
    return event;
  }

  /** Runs something as an actor, now. */
  as(actor: Actor, run: () => void): void {
    const before = this.#current;
    this.#current = actor;
    run();
    this.#drain();
    this.#current = before;
  }

  /** Stops an actor's time; what was due meanwhile comes when it resumes. */
  pause(actor: Actor): void {
    actor.paused = true;
  }

  resume(actor: Actor): void {
    actor.paused = false;
    const held = this.#held.get(actor) ?? [];
    this.#held.delete(actor);
    for (const event of held) {
      event.at = Math.max(this.now, event.at);
      this.#push(event);
    }
  }

  /** Ends a life of an actor: its timers, its unanswered requests and what was on the way to it. */
  crash(actor: Actor): void {
    actor.life += 1;
    actor.paused = false;
    this.#held.delete(actor);
  }

  /** Nothing happens any more. Signals of the runtime outlive a simulation, and must not keep all of it in memory. */
  end(): void {
    this.#heap.length = 0;
    this.#held.clear();
  }

  /** Runs until `until` (absolute) or until `stop` answers true between two events. */
  run(until: number, stop: () => boolean = () => false): void {
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.at > until || stop()) break;
      this.#pop();
      if (event.cancelled || event.life !== event.actor.life) continue;
      if (event.actor.paused) {
        this.#hold(event);
        continue;
      }
      this.#events += 1;
      if (this.#events > MOST_EVENTS) throw new Error(`more than ${MOST_EVENTS} events: something is busy without end`);
      this.now = Math.max(this.now, event.at);
      this.as(event.actor, event.run);
    }
    if (!stop()) this.now = Math.max(this.now, until);
  }

  setTimeout = (run: (...values: unknown[]) => void, ms = 0, ...values: unknown[]): Timer => {
    const timer = new Timer();
    timer.event = this.plan(this.#current, Math.max(1, ms), () => run(...values));
    return timer;
  };

  setInterval = (run: (...values: unknown[]) => void, ms = 0, ...values: unknown[]): Timer => {
    const timer = new Timer();
    const actor = this.#current;
    const again = (): void => {
      timer.event = this.plan(actor, Math.max(1, ms), () => {
        again();
        run(...values);
      });
    };
    again();
    return timer;
  };

  setImmediate = (run: (...values: unknown[]) => void, ...values: unknown[]): Timer => {
    const timer = new Timer();
    timer.event = this.plan(this.#current, 0, () => run(...values));
    return timer;
  };

  clear = (timer: unknown): void => {
    if (timer instanceof Timer) timer.cancel();
  };

  #hold(event: Event): void {
    const held = this.#held.get(event.actor) ?? [];
    held.push(event);
    this.#held.set(event.actor, held);
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(event, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const [one, other] = [heap[left], heap[left + 1]];
      if (one === undefined) break;
      const [least, next] = other !== undefined && isBefore(other, one) ? [other, left + 1] : [one, left];
      if (!isBefore(least, last)) break;
      heap[at] = least;
      at = next;
    }
    heap[at] = last;
  }
}

/** Events of one time come in the order in which they were planned. */
function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
