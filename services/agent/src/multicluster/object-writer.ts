/**
 * Writes objects, a few at a time, until each is as it should be. Of an object only its key waits here, once: what is written is decided
 * when its turn comes. The queue is as long as there are objects.
 */
import { messageOf } from '@hawser/runtime/app-error.ts';
import { type BackoffOptions, backoffMs } from '@hawser/runtime/backoff.ts';
import { type ApiClient, ApiRefusal } from '../discover/kubernetes/api-client.ts';
import type { ObjectWrite } from './object-writes.ts';

/** What it works with. */
export interface ObjectWriterParts {
  readonly api: Pick<ApiClient, 'json'>;
  /** What has to be written of this object now; undefined: nothing. `refused`: the HTTP status of the attempt just before, if it failed. */
  readonly next: (key: string, refused?: number) => ObjectWrite | undefined;
  /** The version of it that is known here; undefined when there is none. */
  readonly known: (key: string) => string | undefined;
  /** What cannot be written is another now, in sentences that name the objects. */
  readonly onProblems: (problems: readonly string[]) => void;
  readonly times?: WriterTimes;
}

/** How long things may take; tests want them short. */
export interface WriterTimes {
  readonly deadlineMs: number;
  readonly backoff: BackoffOptions;
  /** So long an object's own write is waited for on the watch, before it is looked at all the same. */
  readonly echoMs: number;
  /** So long one write of an object is after the last one of it; at once unless given. */
  readonly spacingMs?: number;
}

export const WRITER_TIMES: WriterTimes = { deadlineMs: 10_000, backoff: { baseMs: 500, maxMs: 30_000 }, echoMs: 2_000 };
const AT_ONCE = 4;
/** A version that somebody else was faster with, or a namespace that is just going, is no news before it is so again and again. */
const QUIET_FAILURES = 3;
/** Somebody who writes over the own writes is undone so often in a minute, and then once a minute. */
const REWRITES = 20;
const MINUTE_MS = 60_000;

interface Waiting {
  /** By `performance.now()`. */
  due: number;
  attempt: number;
  refused: number | undefined;
  problem: string | undefined;
  isUnderWay: boolean;
  /** It is left as it is for the rest of the minute. */
  isHeld: boolean;
  /** It came up again while it was under way. */
  isAgain: boolean;
}

const WAITING: Waiting = {
  ...{ due: 0, attempt: 0, refused: undefined, problem: undefined },
  ...{ isUnderWay: false, isHeld: false, isAgain: false },
};

/** The write that was made last and the version that came of it. Written upon that again it would change nothing. */
interface Made {
  readonly write: string;
  readonly version: string;
  /** When, by `performance.now()`. */
  readonly at: number;
  /** How often in the present minute, which began then. */
  readonly times: number;
  readonly since: number;
}

/** How often it was written, by what came of it. */
export interface WriteCounts {
  readonly done: number;
  readonly failed: number;
}

/** Writes. */
export class ObjectWriter {
  readonly #parts: ObjectWriterParts;
  readonly #times: WriterTimes;
  readonly #waiting = new Map<string, Waiting>();
  readonly #made = new Map<string, Made>();
  readonly #abort = new AbortController();
  #counts: WriteCounts = { done: 0, failed: 0 };
  #underWay = 0;
  #timer: NodeJS.Timeout | undefined;
  #told = '';

  constructor(parts: ObjectWriterParts) {
    this.#parts = parts;
    this.#times = parts.times ?? WRITER_TIMES;
  }

  get counts(): WriteCounts {
    return this.#counts;
  }

  /** Objects that are not as they should be, or not looked at yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Looks at these objects, `delayMs` from now. One that failed again and again is tried at its own time. */
  look(keys: Iterable<string>, delayMs = 0): void {
    for (const key of keys) {
      const known = this.#waiting.get(key);
      if (known === undefined) {
        const due = Math.max(performance.now() + delayMs, this.#spaced(key));
        this.#waiting.set(key, { ...WAITING, due });
      } else if (known.isUnderWay) known.isAgain = true;
      else if (known.attempt <= QUIET_FAILURES && delayMs === 0 && !known.isHeld) known.due = this.#spaced(key);
    }
    this.#soon();
  }

  /** Somebody else writes now. */
  clear(): void {
    for (const [key, { isUnderWay }] of this.#waiting) if (!isUnderWay) this.#waiting.delete(key);
    this.#tell();
  }

  stop(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #soon(): void {
    clearTimeout(this.#timer);
    if (this.#abort.signal.aborted || this.#underWay >= AT_ONCE) return;
    let first = Number.POSITIVE_INFINITY;
    for (const { due, isUnderWay } of this.#waiting.values()) if (!isUnderWay) first = Math.min(first, due);
    if (first === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#run(), Math.max(0, first - performance.now())).unref();
  }

  #run(): void {
    const now = performance.now();
    for (const [key, one] of this.#waiting) {
      if (this.#underWay >= AT_ONCE) return;
      if (!one.isUnderWay && one.due <= now) void this.#write(key, one);
    }
    this.#soon();
  }

  async #write(key: string, one: Waiting): Promise<void> {
    const write = this.#parts.next(key, one.refused);
    const made = this.#made.get(key);
    const before = this.#parts.known(key);
    if (write === undefined || (made?.version === before && made?.write === JSON.stringify(write.body))) {
      this.#settled(key);
      return;
    }
    one.isUnderWay = true;
    one.isHeld = false;
    one.isAgain = false;
    this.#underWay += 1;
    try {
      const answer = await this.#parts.api.json({ ...write, deadlineMs: this.#times.deadlineMs, signal: this.#abort.signal });
      this.#counts = { ...this.#counts, done: this.#counts.done + 1 };
      this.#succeeded(key, one, { write, before, answer });
    } catch (error) {
      this.#failed(key, one, error);
    } finally {
      one.isUnderWay = false;
      this.#underWay -= 1;
      this.#tell();
      this.#soon();
    }
  }

  /** The watch tells of it soon: only then is it known whether more has to be done. */
  #succeeded(
    key: string,
    one: Waiting,
    { write, before, answer }: { readonly write: ObjectWrite; readonly before: string | undefined; readonly answer: unknown },
  ): void {
    const now = performance.now();
    const made = this.#noted(key, { write: JSON.stringify(write.body), version: versionIn(answer) ?? '', now });
    one.attempt = 0;
    one.refused = undefined;
    one.isHeld = made.times > REWRITES;
    one.problem = one.isHeld ? `${key} is written over by somebody else again and again` : undefined;
    const isEchoed = one.isAgain && this.#parts.known(key) !== before;
    one.due = one.isHeld ? made.since + MINUTE_MS : isEchoed ? this.#spaced(key) : Math.max(now + this.#times.echoMs, this.#spaced(key));
  }

  /** When the object may be written again. */
  #spaced(key: string): number {
    const made = this.#made.get(key);
    return made === undefined ? 0 : made.at + (this.#times.spacingMs ?? 0);
  }

  #noted(key: string, { write, version, now }: { readonly write: string; readonly version: string; readonly now: number }): Made {
    const before = this.#made.get(key);
    const isSameMinute = before !== undefined && now - before.since < MINUTE_MS;
    const made = {
      write,
      version,
      at: now,
      ...(isSameMinute ? { times: before.times + 1, since: before.since } : { times: 1, since: now }),
    };
    this.#made.set(key, made);
    return made;
  }

  #failed(key: string, one: Waiting, error: unknown): void {
    if (this.#abort.signal.aborted) return;
    this.#counts = { ...this.#counts, failed: this.#counts.failed + 1 };
    const isRace = error instanceof ApiRefusal && (error.status === 409 || error.status === 404);
    const asked = error instanceof ApiRefusal ? error.retryAfterMs : 0;
    one.due = performance.now() + Math.max(asked, backoffMs(one.attempt, this.#times.backoff));
    one.attempt += 1;
    one.refused = error instanceof ApiRefusal ? error.status : undefined;
    if (!isRace || one.attempt > QUIET_FAILURES) one.problem = `${key} could not be written: ${messageOf(error)}`;
  }

  #settled(key: string): void {
    const isNews = this.#waiting.get(key)?.problem !== undefined;
    this.#waiting.delete(key);
    if (this.#parts.known(key) === undefined && performance.now() - (this.#made.get(key)?.since ?? 0) > MINUTE_MS) this.#made.delete(key);
    if (isNews) this.#tell();
  }

  #tell(): void {
    const problems = [...this.#waiting.values()].flatMap(({ problem }) => (problem === undefined ? [] : [problem])).sort();
    const told = problems.join('\n');
    if (told === this.#told) return;
    this.#told = told;
    this.#parts.onProblems(problems);
  }
}

function versionIn(answer: unknown): string | undefined {
  const version = (answer as { metadata?: { resourceVersion?: unknown } } | null)?.metadata?.resourceVersion;
  return typeof version === 'string' ? version : undefined;
}
