/**
 * What each hub revision did to the connected proxies: who had to take something over, who did, who refused. In memory and
 * bounded; told by the streams' answers alone.
 */
import type { RolloutStatus } from '@hawser/wire/messages.ts';
import type { Applied } from '../snapshot/snapshot-store.ts';
import type { DeltaStream } from '../xds/delta-stream.ts';
import type { ResourceKey } from '../xds/stream-index.ts';

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

interface Rollout<Stream> {
  readonly epoch: number;
  readonly revision: number;
  readonly generation: number;
  /** Per proxy, what it has not accepted yet. */
  readonly open: Map<Stream, readonly ResourceKey[]>;
  readonly nacks: Map<Stream, string>;
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
  #latest = 0;

  /** `emit` gets the account of a revision at once and each time it changes. */
  constructor(streams: TrackedStreams<Stream>, emit: (status: RolloutStatus) => void) {
    this.#streams = streams;
    this.#emit = emit;
    const changed = (): void => undefined;
    this.#stop = streams.listen({ changed, settled: (stream) => this.#settled(stream), gone: (stream) => this.#gone(stream) });
    streams.reportRevisions((stream) => this.revisionOf(stream));
  }

  /** Accounts for a revision whose changes were applied as `applied`, right after they were; those that changed nothing too. */
  trackRevision(epoch: number, revision: number, applied: Applied): void {
    const affected = applied.changes.length === 0 ? [] : this.#streams.affected(applied).entries();
    const rollout: Rollout<Stream> = { epoch, revision, generation: applied.generation, open: new Map(), nacks: new Map(), acked: 0 };
    for (const [stream, keys] of affected) {
      const visible = keys.filter(({ type, name }) => stream.machine.covers(type, name));
      if (visible.length > 0) rollout.open.set(stream, visible);
    }
    for (const stream of [...rollout.open.keys()]) this.#check(rollout, stream);
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

  stop(): void {
    this.#stop();
  }

  #settled(stream: Stream): void {
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
    let refusal: string | undefined;
    const open = (rollout.open.get(stream) ?? []).filter(({ type, name }) => {
      const outcome = stream.machine.outcome(type, name, rollout.generation);
      if (typeof outcome === 'object') refusal ??= outcome.nacked;
      return outcome !== 'acked';
    });
    if (refusal === undefined) rollout.nacks.delete(stream);
    else rollout.nacks.set(stream, refusal);
    if (open.length > 0) rollout.open.set(stream, open);
    else {
      rollout.open.delete(stream);
      rollout.acked += 1;
    }
    return open.length === 0 || before !== refusal;
  }
}

function statusOf(rollout: Rollout<TrackedStream>): RolloutStatus {
  const { epoch, revision, acked, open } = rollout;
  const nacks = [...rollout.nacks].map(([stream, message]) => ({ proxy: stream.proxy.name, message }));
  return { epoch, revision, expected: acked + open.size, acked, nacks };
}
