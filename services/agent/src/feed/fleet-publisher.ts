/** Publishes what the own cluster says of itself: its facts and the shards it exports. */
import type { Bus } from '@hawser/bus/bus.ts';
import { DocumentPublisher } from '@hawser/bus/document-publisher.ts';
import { type EndpointShard, publishedShard } from '@hawser/model/endpoint-shard.ts';
import type { ClusterFacts } from '@hawser/model/fleet.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Signer } from '@hawser/wire/signing.ts';
import { FACTS_KEY, FLEET_PREFIX, FLEET_STREAM, shardKey } from '@hawser/wire/subjects.ts';
import type { Shards } from '../state/endpoint-brake.ts';

/** What it works with. */
export interface FleetPublisherParts {
  readonly bus: Bus;
  readonly cluster: string;
  readonly epoch: number;
  readonly signer: Signer;
  readonly facts: ClusterFacts;
  readonly revisions: (above: number) => number;
  /** Whether this replica is its cluster's publisher, by the lease itself. */
  readonly mayPublish: () => Promise<boolean>;
  readonly log: Logger;
  readonly heartbeatMs?: number | undefined;
}

/** Keeps `hawser.fleet.CLUSTER.>` equal to what is in force. */
export class FleetPublisher {
  readonly #publisher: DocumentPublisher;
  readonly #log: Logger;
  #published: ReadonlyMap<string, EndpointShard> = new Map();
  #isKnown = false;

  constructor(parts: FleetPublisherParts) {
    const { cluster, facts, heartbeatMs, ...rest } = parts;
    this.#log = parts.log;
    this.#publisher = new DocumentPublisher({
      ...rest,
      ...(heartbeatMs === undefined ? {} : { heartbeatMs }),
      stream: FLEET_STREAM,
      prefix: `${FLEET_PREFIX}.${cluster}`,
      from: cluster,
      to: '*',
    });
    this.setFacts(facts);
    this.#publisher.start();
    void this.#publisher.loaded.then(() => this.#removeLeftovers());
  }

  /** What the cluster says of itself is another now. */
  setFacts(facts: ClusterFacts): void {
    this.#publisher.put(FACTS_KEY, facts);
  }

  /** All shards in force; from the first call on, what is not among them is gone. */
  publish(shards: Shards): void {
    const exported = new Map(
      [...shards.values()].filter((shard) => shard.exported).map((shard) => [shardKey(shard.namespace, shard.service), shard]),
    );
    for (const key of this.#published.keys()) if (!exported.has(key)) this.#publisher.remove(key);
    for (const [key, shard] of exported) if (this.#published.get(key) !== shard) this.#put(key, shard);
    this.#published = exported;
    if (this.#isKnown) return;
    this.#isKnown = true;
    this.#removeLeftovers();
    this.#publisher.complete();
  }

  /** Resolves when everything published so far is on the stream. */
  drained(): Promise<void> {
    return this.#publisher.drained();
  }

  async stop(): Promise<void> {
    await this.#publisher.stop();
  }

  #put(key: string, shard: EndpointShard): void {
    try {
      this.#publisher.put(key, publishedShard(shard));
    } catch (error) {
      this.#log.error({ key, error: messageOf(error) }, 'shard is not published');
    }
  }

  /** An earlier life of this agent may have published what its owner removed while it was down. */
  #removeLeftovers(): void {
    if (!this.#isKnown) return;
    for (const key of this.#publisher.keys()) if (key !== FACTS_KEY && !this.#published.has(key)) this.#publisher.remove(key);
  }
}
