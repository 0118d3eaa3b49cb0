import type { RosterMember } from '@hawser/model/fleet.ts';
import { createLogger } from '@hawser/runtime/logger.ts';
import { expect, it } from 'vitest';
import type { Changes, OutboxEntry, ResourceReadModel } from '../resource/resource-read-model.ts';
import type { ClusterPublishers } from './cluster-publishers.ts';
import { OutboxLoop } from './outbox-loop.ts';

const CLUSTERS = 400;
/** What the loop says of it: a millisecond for each cluster. */
const PACE_MS = 400;
const WRITES = 200;
const MEMBERS = Array.from(
  { length: CLUSTERS },
  (_, index) => ({ name: `c${index}`, region: 'r', epoch: 1, labels: {} }) as unknown as RosterMember,
);

it('takes a rush of writes in few batches, and all of it', async () => {
  let revision = 0;
  const read: Pick<ResourceReadModel, 'snapshot' | 'changesAfter' | 'publishedRevision' | 'markPublished'> = {
    snapshot: async () => ({ epoch: 1, revision, resources: [], members: MEMBERS }),
    publishedRevision: async () => 0,
    markPublished: async () => undefined,
    changesAfter: async (after): Promise<Changes> => {
      const entries = Array.from({ length: revision - after }, (_, index) => entry(after + 1 + index));
      return { epoch: 1, revision, published: 0, entries, written: [], roster: undefined };
    },
  };
  const seen: number[] = [];
  const publishers = {
    apply: () => undefined,
    change: (changed: { readonly revision: number }) => void seen.push(changed.revision),
    drained: async () => undefined,
    publishedRevision: () => seen.at(-1) ?? 0,
    stop: async () => undefined,
  };
  const stop = new AbortController();
  let hint = (): void => undefined;
  const loop = new OutboxLoop({
    readModel: read as ResourceReadModel,
    listenOutbox: (wake) => {
      hint = wake;
      return { stop: async () => undefined };
    },
    publishersOf: () => publishers as unknown as ClusterPublishers,
    ...{ log: createLogger('test'), signal: stop.signal, onDesired: () => undefined, onPublished: () => undefined },
  });
  loop.lead(1);
  const running = loop.run();
  await expect.poll(() => loop.desired?.members.length).toBe(CLUSTERS);
  const startedAt = performance.now();
  while (revision < WRITES) {
    revision += 1;
    hint();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await expect.poll(() => seen.at(-1), { timeout: 30_000 }).toBe(WRITES);
  expect(seen.length).toBeLessThanOrEqual(2 + Math.ceil((performance.now() - startedAt) / PACE_MS));
  stop.abort();
  await running;
});

function entry(revision: number): OutboxEntry {
  return {
    revision,
    kind: 'DestinationRule',
    namespace: 'n',
    name: `r-${revision}`,
    action: 'create',
    at: new Date().toISOString(),
  };
}
