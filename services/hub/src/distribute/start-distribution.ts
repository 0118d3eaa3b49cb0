/** The assembly of the hub's voice: leadership, the outbox loop that follows it, and the watch over what the bus remembers. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Bus } from '@hawser/bus/bus.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { RunGroup } from '@hawser/runtime/run-group.ts';
import type { Signer } from '@hawser/wire/signing.ts';
import type { DesiredState, ListenOutbox, ResourceReadModel } from '../resource/resource-read-model.ts';
import { isPast, newestOnBus } from './bus-history.ts';
import { ClusterPublishers } from './cluster-publishers.ts';
import type { Leader } from './leader-store.ts';
import { Leadership, type LeadershipParts } from './leadership.ts';
import { OutboxLoop } from './outbox-loop.ts';

/** What distribution is made of. */
export interface DistributionParts {
  readonly bus: Bus;
  readonly signer: Signer;
  readonly readModel: ResourceReadModel;
  readonly listenOutbox: ListenOutbox;
  /** The lease of leadership for a replica of this name. */
  readonly leaderStore: (holder: string) => LeadershipParts['store'];
  readonly group: Pick<RunGroup, 'onStop' | 'signal'>;
  readonly log: Logger;
  readonly onDesired: (desired: DesiredState) => void;
  readonly onPublished: () => void;
  readonly onPut: (documents: number) => void;
}

/** This replica among the others. */
export interface Replica {
  readonly instance: string;
  /** The term in which it leads; undefined while it stands by. */
  readonly term: number | undefined;
  /** Who leads; undefined when nobody does or the database is away. */
  readonly leader: Leader | undefined;
}

/** The running distribution. */
export interface RunningDistribution {
  readonly loop: OutboxLoop;
  readonly replica: Replica;
}

/** Starts to follow the desired state, and to publish it whenever this replica leads. */
export function startDistribution(parts: DistributionParts): RunningDistribution {
  const { bus, signer, log, group } = parts;
  const instance = `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`;
  const publishersOf = (term: number): ClusterPublishers =>
    new ClusterPublishers({ bus, log, signer, onPut: parts.onPut, mayPublish: () => leadership.confirms(term) });
  const loop = new OutboxLoop({ ...parts, publishersOf, signal: group.signal });
  const leadership = new Leadership({
    store: parts.leaderStore(instance),
    log,
    signal: group.signal,
    onTerm: (term) => {
      loop.lead(term);
      if (term !== undefined) compare(term);
    },
  });
  const compare = (term: number): void => {
    if (!bus.connected) return;
    compareHistory(parts, { term, loop }).catch((error: unknown) =>
      log.warn({ error: messageOf(error) }, 'the history on the bus was not compared'),
    );
  };
  const stopStatus = bus.onStatus((connected) => {
    if (connected && leadership.term !== undefined) compare(leadership.term);
  });
  const running = [loop.run(), leadership.run()];
  group.onStop('distribution', async () => {
    stopStatus();
    await Promise.all(running);
  });
  return {
    loop,
    replica: {
      instance,
      get term() {
        return leadership.term;
      },
      get leader() {
        return leadership.leader;
      },
    },
  };
}

/** A database restored from backup begins a new epoch: receivers refuse revisions older than those they have seen. */
async function compareHistory(
  { bus, signer, log, readModel }: DistributionParts,
  { term, loop }: { readonly term: number; readonly loop: OutboxLoop },
): Promise<void> {
  const newest = await newestOnBus(bus, signer, log);
  const { epoch, revision } = await readModel.snapshot();
  if (newest === undefined || !isPast({ epoch, revision }, newest)) return;
  const raised = await readModel.raiseEpoch(newest, term);
  log.error(
    { epoch: raised, revision, seen: { epoch: newest.epoch, revision: newest.revision } },
    'the bus knows a later state than the database: a new epoch begins',
  );
  loop.reread();
}
