/**
 * What each hub revision did to the connected proxies: who had to take something over, who did, who refused. In memory and
 * bounded; told by the streams' answers alone.
 */
import type { RolloutStatus } from '@hawser/wire/messages.ts';
import type { ResourceKey } from '../snapshot/resource.ts';
import type { Applied } from '../snapshot/snapshot-store.ts';
import type { DeltaStream } from '../xds/delta-stream.ts';

/** A connected proxy, as far as rollouts are concerned. */
export interface TrackedStream {
  readonly proxy: { readonly name: string };
  readonly machine: Pick<DeltaStream, 'covers' | 'outcome' | 'idle' | 'refused'>;
}

/** The connected proxies (`AdsStreams`). */
export interface TrackedStreams<Stream extends TrackedStream> {
  affected(applied: Applied): ReadonlyMap<Stream, readonly ResourceKey[]>;
  listen(listener: { changed(): void; settled(stream: Stream): void; gone(stream: Stream): void }): () => void;
  /** Asks this for `ProxyStatus.revision`. */
  reportRevisions(source: (stream: Stream) => number): void;
}

/** What a proxy refused, and why. */
export type Nack = Omit<RolloutStatus['nacks'][number], 'proxy'>;

interface Rollout<Stream> {
  readonly epoch: number;
  readonly revision: number;
  readonly generation: number;
  /** Per proxy, what it has not accepted yet. */
  readonly open: Map<Stream, readonly ResourceKey[]>;
  readonly nacks: Map<Stream, Nack>;
  /** Proxies that refused a policy of this revision; they run on what was served in its place. */
  readonly blamed: Map<Stream, Nack[]>;
  acked: number;
}

const KEPT = 200;

/** Follows the newest 200 revisions. */
export class RolloutTracker<Stream extends TrackedStream> {
  readonly #streams: TrackedStreams<Stream>;
  readonly #emit: (status: RolloutStatus) => void;
  /** Oldest first. */
  readonly #rollouts: Rollout<Stream>[] = [];
  /** Streams that had everything acknowledged at least once. */
  readonly #synced = new WeakSet<Stream>();
  readonly #stop: () => void;
  readonly #isHeld: () => boolean;
  #latest = 0;

  /**
   * `emit` gets the account of a revision at once and each time it changes. While `isHeld` says so, answers are to something
   * that is only being tried: accounts wait for `recheck`.
   */
  constructor(streams: TrackedStreams<Stream>, emit: (status: RolloutStatus) => void, isHeld: () => boolean = () => false) {
    this.#streams = streams;
    this.#emit = emit;
    this.#isHeld = isHeld;
    const changed = (): void => undefined;
    this.#stop = streams.listen({ changed, settled: (stream) => this.#settled(stream), gone: (stream) => this.#gone(stream) });
    streams.reportRevisions((stream) => this.revisionOf(stream));
  }

  /** Accounts for a revision whose changes were applied as `applied`, right after they were; those that changed nothing too. */
  trackRevision(epoch: number, revision: number, applied: Applied): void {
    const affected = applied.changes.length === 0 ? [] : this.#streams.affected(applied).entries();
    const maps = { open: new Map(), nacks: new Map(), blamed: new Map() };
    const rollout: Rollout<Stream> = { epoch, revision, generation: applied.generation, ...maps, acked: 0 };
    for (const [stream, keys] of affected) {
      const visible = keys.filter(({ type, name }) => stream.machine.covers(type, name));
      if (visible.length > 0) rollout.open.set(stream, visible);
    }
    if (!this.#isHeld()) for (const stream of [...rollout.open.keys()]) this.#check(rollout, stream);
    this.#latest = revision;
    this.#rollouts.push(rollout);
    if (this.#rollouts.length > KEPT) this.#rollouts.shift();
    this.#emit(statusOf(rollout));
  }

  /** The newest hub revision of which a proxy acknowledged everything; 0 while it has not caught up since it connected. */
  revisionOf(stream: Stream): number {
    if (!this.#synced.has(stream)) {
      if (!stream.machine.idle || stream.machine.refused) return 0;
      this.#synced.add(stream);
    }
    const open = this.#rollouts.find((rollout) => rollout.open.has(stream));
    return open === undefined ? this.#latest : open.revision - 1;
  }

  /** These proxies refused a policy that came with the revision: nothing that is served in its place undoes that. */
  blame(revision: number, policy: string, nacks: ReadonlyMap<string, Nack>): void {
    const rollout = this.#rollouts.find((one) => one.revision >= revision);
    if (rollout === undefined) return;
    for (const stream of [...rollout.open.keys(), ...rollout.blamed.keys()]) {
      const nack = nacks.get(stream.proxy.name);
      if (nack === undefined) continue;
      rollout.open.delete(stream);
      rollout.nacks.delete(stream);
      rollout.blamed.set(stream, [...(rollout.blamed.get(stream) ?? []), { ...nack, policy }]);
    }
    this.#emit(statusOf(rollout));
  }

  /** Looks again at everything that is open. */
  recheck(): void {
    for (const rollout of this.#rollouts) {
      const changed = [...rollout.open.keys()].filter((stream) => this.#check(rollout, stream));
      if (changed.length > 0) this.#emit(statusOf(rollout));
    }
  }

  stop(): void {
    this.#stop();
  }

  #settled(stream: Stream): void {
    if (this.#isHeld()) return;
    this.revisionOf(stream);
    for (const rollout of this.#rollouts) {
      if (rollout.open.has(stream) && this.#check(rollout, stream)) this.#emit(statusOf(rollout));
    }
  }

  #gone(stream: Stream): void {
    for (const rollout of this.#rollouts) {
      if (!rollout.open.delete(stream)) continue;
      rollout.nacks.delete(stream);
      this.#emit(statusOf(rollout));
    }
  }

  /** Looks again at what a proxy has open; returns whether the account changed. */
  #check(rollout: Rollout<Stream>, stream: Stream): boolean {
    const before = rollout.nacks.get(stream);
    let refusal: Nack | undefined;
    const open = (rollout.open.get(stream) ?? []).filter(({ type, name }) => {
      const outcome = stream.machine.outcome(type, name, rollout.generation);
      if (typeof outcome === 'object') refusal ??= { type, resource: name, message: outcome.nacked };
      return outcome !== 'acked';
    });
    if (refusal === undefined) rollout.nacks.delete(stream);
    else rollout.nacks.set(stream, refusal);
    if (open.length > 0) rollout.open.set(stream, open);
    else {
      rollout.open.delete(stream);
      rollout.acked += 1;
    }
    return open.length === 0 || before?.message !== refusal?.message;
  }
}

function statusOf(rollout: Rollout<TrackedStream>): RolloutStatus {
  const { epoch, revision, acked, open, blamed } = rollout;
  const standing = [...rollout.nacks].map(([stream, nack]) => ({ proxy: stream.proxy.name, ...nack }));
  const found = [...blamed].flatMap(([stream, nacks]) => nacks.map((nack) => ({ proxy: stream.proxy.name, ...nack })));
  const nacks = [...standing, ...found];
  return { epoch, revision, expected: acked + open.size + blamed.size, acked, nacks };
}
