/** PostgreSQL as the hub's loop sees it: a committed log with epoch and gap-free revisions, and every state there ever was. */
import type { Leader } from '@hawser/hub/distribute/leader-store.ts';
import { LEASE_MS } from '@hawser/hub/distribute/leader-store.ts';
import type { LeadershipParts } from '@hawser/hub/distribute/leadership.ts';
import type { Changes, DesiredState, OutboxEntry, ResourceReadModel } from '@hawser/hub/resource/resource-read-model.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

/** A moment's whole content. */
interface State {
  readonly resources: ReadonlyMap<string, Resource>;
  readonly members: readonly RosterMember[];
}

interface Copy {
  readonly epoch: number;
  readonly revision: number;
  readonly state: State;
  readonly outbox: readonly OutboxEntry[];
  readonly published: number;
}

const EMPTY: State = { resources: new Map(), members: [] };

/** The database. Reads take time and fail while it is down. */
export class CommittedLog implements ResourceReadModel {
  up = true;
  /** How many writes were ever acknowledged. */
  writes = 0;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #hints = new Set<() => void>();
  /** Every state that was ever committed as `EPOCH/REVISION`. */
  readonly #ever = new Map<string, State[]>();
  #state: State = EMPTY;
  #epoch = 1_000;
  #revision = 0;
  #outbox: OutboxEntry[] = [];
  #published = 0;
  #leader: (Leader & { expiresAt: number }) | undefined;

  constructor(time: VirtualTime, random: Random) {
    this.#time = time;
    this.#random = random;
    this.#remember();
  }

  get revision(): number {
    return this.#revision;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get state(): State {
    return this.#state;
  }

  /** States that were committed at a moment; more than one when a restored copy went another way before its epoch was raised. */
  statesAt(epoch: number, revision: number): readonly State[] {
    return this.#ever.get(`${epoch}/${revision}`) ?? [];
  }

  /** Commits a write, as the API does; the row tells what is there after it. */
  write(change: { readonly resource: Resource; readonly remove?: boolean } | { readonly members: readonly RosterMember[] }): void {
    this.#revision += 1;
    this.writes += 1;
    const resources = new Map(this.#state.resources);
    let members = this.#state.members;
    let entry = { kind: 'Cluster', namespace: '', name: 'x', action: 'update' as OutboxEntry['action'] };
    if ('members' in change) members = change.members;
    else {
      const { kind, metadata } = change.resource;
      const key = `${kind}/${metadata.namespace}/${metadata.name}`;
      const known = resources.has(key);
      entry = {
        kind,
        namespace: metadata.namespace ?? '',
        name: metadata.name,
        action: change.remove === true ? 'delete' : known ? 'update' : 'create',
      };
      if (change.remove === true) resources.delete(key);
      else resources.set(key, { ...change.resource, metadata: { ...metadata, resourceVersion: String(this.#revision) } });
    }
    this.#state = { resources, members };
    this.#outbox.push({ revision: this.#revision, ...entry, at: new Date(this.#time.now).toISOString() });
    this.#remember();
    for (const hint of this.#hints) if (this.#random.chance(0.9)) hint();
  }

  backup(): Copy {
    return { epoch: this.#epoch, revision: this.#revision, state: this.#state, outbox: [...this.#outbox], published: this.#published };
  }

  /** An older copy takes the database's place. */
  restore(copy: Copy): void {
    this.#epoch = copy.epoch;
    this.#revision = copy.revision;
    this.#state = copy.state;
    this.#outbox = [...copy.outbox];
    this.#published = copy.published;
  }

  listen = (hint: () => void): { stop(): Promise<void> } => {
    const actor = this.#time.current;
    const own = (): void => void this.#time.plan(actor, this.#random.between(1, 3), hint);
    this.#hints.add(own);
    return {
      stop: async () => {
        this.#hints.delete(own);
      },
    };
  };

  snapshot(): Promise<DesiredState> {
    return this.#read(() => ({
      epoch: this.#epoch,
      revision: this.#revision,
      resources: [...this.#state.resources.values()],
      members: this.#state.members,
    }));
  }

  outboxAfter(revision: number, limit: number): Promise<readonly OutboxEntry[]> {
    return this.#read(() => this.#outbox.filter((entry) => entry.revision > revision).slice(0, limit));
  }

  changesAfter(revision: number): Promise<Changes | undefined> {
    return this.#read(() => {
      const entries = this.#outbox.filter((entry) => entry.revision > revision);
      if (entries.length !== this.#revision - revision) return undefined;
      const written = entries.flatMap(({ kind, namespace, name }) => this.#state.resources.get(`${kind}/${namespace}/${name}`) ?? []);
      const roster = entries.some(({ kind }) => kind === 'Cluster') ? { members: this.#state.members } : undefined;
      return { epoch: this.#epoch, revision: this.#revision, published: this.#published, entries, written: [...new Set(written)], roster };
    });
  }

  markPublished(revision: number, term: number): Promise<void> {
    return this.#read(() => {
      this.#requireTerm(term);
      this.#published = Math.max(this.#published, revision);
      this.#outbox = this.#outbox.filter((entry) => entry.revision > revision);
    });
  }

  publishedRevision(): Promise<number> {
    return this.#read(() => this.#published);
  }

  raiseEpoch(past: { readonly epoch: number }, term: number): Promise<number> {
    return this.#read(() => {
      this.#requireTerm(term);
      this.#epoch = Math.max(this.#epoch, past.epoch) + 1;
      this.#remember();
      return this.#epoch;
    });
  }

  /** The lease row, for one replica. That a lost connection frees it at once is not simulated: it is the lease that must suffice. */
  leaderStore(holder: string): LeadershipParts['store'] {
    const isMine = (term: number): boolean => this.#leader?.term === term && this.#leader.holder === holder;
    return {
      acquire: () =>
        this.#read(() => {
          if (this.#leader !== undefined && this.#leader.expiresAt > this.#time.now) return undefined;
          const term = (this.#leader?.term ?? 0) + 1;
          this.#leader = { term, holder, address: holder, expiresAt: this.#time.now + LEASE_MS };
          return term;
        }),
      renew: (term) =>
        this.#read(() => {
          if (isMine(term) && this.#leader !== undefined) this.#leader.expiresAt = this.#time.now + LEASE_MS;
          return isMine(term);
        }),
      holds: (term) => this.#read(() => isMine(term)),
      current: () => this.#read(() => this.#leader),
      own: (term) => ({ term, holder, address: holder }),
      release: (term) =>
        this.#read(() => {
          if (isMine(term) && this.#leader !== undefined) this.#leader.expiresAt = 0;
        }),
      close: async () => undefined,
    };
  }

  #requireTerm(term: number): void {
    if (this.#leader?.term !== term) throw new AppError('not-leader', `term ${term} is over`);
  }

  #remember(): void {
    const key = `${this.#epoch}/${this.#revision}`;
    const known = this.#ever.get(key) ?? [];
    known.push(this.#state);
    this.#ever.set(key, known);
  }

  /** A statement: some milliseconds, then an answer or `database-unavailable`. */
  #read<T>(answer: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#time.plan(this.#time.current, 0.5 + this.#random.float() * 4, () => {
      if (!this.up) reject(new AppError('database-unavailable', 'the database is down'));
      else {
        try {
          resolve(answer());
        } catch (error) {
          reject(error);
        }
      }
    });
    return promise;
  }
}
