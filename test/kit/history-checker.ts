/**
 * Checks what agents hold against what was committed (as etcd's robustness tests do with its watches): an owner's log is the truth,
 * and each agent holds a state of it, never an earlier one than before, and in the end the last one.
 */

import { noTotals, type Totals, totalsLine, type Wrongs } from './totals.ts';

/** A point in one owner's history. */
export interface Moment {
  readonly epoch: number;
  readonly revision: number;
}

/** What an agent holds at one moment: by owner, then by key. */
export interface Observation {
  /** The newest moment of each owner of which it has everything. */
  readonly moments: ReadonlyMap<string, Moment>;
  /** Content by key; what is not there is removed, or was never heard. */
  readonly held: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** What must be 0, and how much was looked at. */
export interface HistoryTotals extends Totals {
  observations: number;
}

/** Content of a key that an owner removed. */
const REMOVED = '(removed)';

/** Records and checks; every breach is kept with its words. */
export class HistoryChecker {
  readonly breaches: string[] = [];
  readonly totals: HistoryTotals = { observations: 0, ...noTotals() };
  /** `OWNER KEY` → contents in the order of their commits. */
  readonly #log = new Map<string, string[]>();
  /** `AGENT OWNER` → the newest moment seen; `AGENT OWNER KEY` → the place in the log. */
  readonly #moments = new Map<string, Moment>();
  readonly #places = new Map<string, number>();

  /** The owner has said this of the key; call it before anybody can hear of it. */
  commit(owner: string, key: string, content: string | undefined): void {
    const log = this.#log.get(`${owner} ${key}`) ?? [];
    this.#log.set(`${owner} ${key}`, [...log, content ?? REMOVED]);
    this.totals.writes += 1;
  }

  /** An agent of a cluster holds this now; where the cluster has one, both have one name. */
  observe(agent: string, { moments, held }: Observation, cluster = agent): void {
    this.totals.observations += 1;
    for (const [owner, moment] of moments) this.#advance(agent, owner, moment);
    for (const [place, log] of this.#log) {
      const [owner = '', key = ''] = place.split(' ');
      if (owner !== cluster) this.#judge(`${agent} ${place}`, log, held.get(owner)?.get(key));
    }
    for (const [owner, keys] of held)
      for (const key of keys.keys()) if (!this.#log.has(`${owner} ${key}`)) this.#breach('staleOrForged', `${agent} holds ${owner} ${key}`);
  }

  /** An agent gives its proxies another assignment. */
  pushed(): void {
    this.totals.pushes += 1;
  }

  /** Messages that nobody may act on were put where agents read. */
  attacked(times: number): void {
    this.totals.documents += times;
  }

  /** A proxy's view of a service lost its last endpoint though its owners have some. */
  emptied(agent: string, what: string): void {
    this.#breach('emptyPushes', `${agent} emptied ${what}`);
  }

  /** An agent acted on what is not its owner's last word, by another measure than this one's. */
  stale(words: string): void {
    this.#breach('staleOrForged', words);
  }

  /** Everything is over: whoever does not hold the last of everything has lost it. */
  finish(agent: string, cluster = agent): void {
    for (const [place, log] of this.#log) {
      if (!place.startsWith(`${cluster} `) && !this.#hasLast(agent, place, log))
        this.#breach('lost', `${agent} never got the last of ${place}`);
    }
  }

  /** Whether an agent holds the last of everything. */
  converged(agent: string): boolean {
    return this.behind(agent).length === 0;
  }

  /** `OWNER KEY` of which an agent does not hold the last. */
  behind(agent: string): readonly string[] {
    return [...this.#log]
      .filter(([place, log]) => !place.startsWith(`${agent} `) && !this.#hasLast(agent, place, log))
      .map(([place]) => place);
  }

  /** What came and went unseen is nowhere, as it should be. */
  #hasLast(agent: string, place: string, log: readonly string[]): boolean {
    const at = this.#places.get(`${agent} ${place}`);
    return (at === undefined ? REMOVED : log[at]) === log.at(-1);
  }

  /** One line for the end of a test. */
  line(): string {
    return `history: ${this.totals.observations} observations: ${totalsLine(this.totals)}`;
  }

  #advance(agent: string, owner: string, moment: Moment): void {
    const before = this.#moments.get(`${agent} ${owner}`);
    this.#moments.set(`${agent} ${owner}`, moment);
    if (before === undefined || moment.epoch > before.epoch) return;
    if (moment.epoch < before.epoch || moment.revision < before.revision)
      this.#breach('staleOrForged', `${agent} went back to ${owner} ${moment.epoch}.${moment.revision}`);
  }

  #judge(place: string, log: readonly string[], content: string | undefined): void {
    const from = this.#places.get(place);
    if (content === undefined && from === undefined) return;
    const wanted = content ?? REMOVED;
    const found = log.indexOf(wanted, from ?? 0);
    this.#count(from === undefined ? REMOVED : log[from], wanted);
    if (found >= 0) this.#places.set(place, found);
    else if (content === undefined) this.#breach('falseRemovals', `${place} is gone, which nobody removed`);
    else this.#breach('staleOrForged', `${place} is ${content}, ${log.includes(content) ? 'an older one' : 'which nobody said'}`);
  }

  #count(before: string | undefined, now: string): void {
    if (before === now) return;
    this.totals.documents += 1;
    if (now === REMOVED) this.totals.removals += 1;
  }

  #breach(total: keyof Wrongs, words: string): void {
    this.totals[total] += 1;
    if (this.breaches.length < 50) this.breaches.push(words);
  }
}
