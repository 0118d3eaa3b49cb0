/** Fills the fleet's state from what clusters publish: verified by the keys of the roster, heart-beaten by their digests. */
import type { Bus } from '@hawser/bus/bus.ts';
import { type DocumentWatcher, watchDocuments } from '@hawser/bus/document-watcher.ts';
import { PublishedShard, receivedShard } from '@hawser/model/endpoint-shard.ts';
import { ClusterFacts, type RosterMember } from '@hawser/model/fleet.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Document } from '@hawser/wire/envelope.ts';
import { type Verifier, verifierOf } from '@hawser/wire/signing.ts';
import { FACTS_KEY, FLEET_PREFIX, FLEET_STREAM, shardKey } from '@hawser/wire/subjects.ts';
import { Compile } from 'typebox/compile';
import type { FleetState } from './fleet-state.ts';

/** What the feed works with. */
export interface FleetFeedParts {
  readonly bus: Bus;
  readonly fleet: FleetState;
  readonly log: Logger;
  readonly onRefused?: (reason: string) => void;
}

const shardBody = Compile(PublishedShard);
const factsBody = Compile(ClusterFacts);

/** Watches the fleet's stream. The hub only listens: nothing here changes what any agent does. */
export class FleetFeed {
  readonly #parts: FleetFeedParts;
  readonly #verifiers = new Map<string, { readonly epoch: number; readonly verifier: Verifier }>();
  #watcher: DocumentWatcher | undefined;
  #signers = '';

  constructor(parts: FleetFeedParts) {
    this.#parts = parts;
  }

  /** Takes the roster; the first one starts the watch, and new signers make it list again. */
  setMembers(members: readonly RosterMember[]): void {
    const signers = JSON.stringify(members.map(({ name, epoch, signingKey }) => [name, epoch, signingKey]));
    this.#parts.fleet.setMembers(members);
    if (signers === this.#signers) return;
    this.#signers = signers;
    this.#verifiers.clear();
    for (const { name, epoch, signingKey } of members) this.#verifiers.set(name, { epoch, verifier: verifierOf(signingKey) });
    if (this.#watcher === undefined) this.#watcher = this.#watch();
    else this.#watcher.relist();
  }

  stop(): void {
    this.#watcher?.stop();
  }

  #watch(): DocumentWatcher {
    const { bus, fleet, log, onRefused } = this.#parts;
    return watchDocuments({
      bus,
      stream: FLEET_STREAM,
      prefix: FLEET_PREFIX,
      filter: `${FLEET_PREFIX}.>`,
      owner: 'from',
      log,
      verifierOf: (from, epoch) => {
        const known = this.#verifiers.get(from);
        return known?.epoch === epoch ? known.verifier : undefined;
      },
      accept: (document) => document.to === '*',
      onDocument: (document) => this.#take(document),
      onDigest: (owner, heard) => fleet.heard(owner, heard.heardAt),
      onAbsent: (owner, keys) => {
        for (const key of keys) this.#remove(owner, key);
      },
      onListed: () => fleet.setListed(),
      onRefused: (reason) => onRefused?.(reason),
    });
  }

  #take({ from, key, body }: Document): void {
    const { fleet, log, onRefused } = this.#parts;
    if (body === null) this.#remove(from, key);
    else if (key === FACTS_KEY && factsBody.Check(body)) this.#takeFacts(from, body);
    else if (shardBody.Check(body) && body.cluster === from && key === shardKey(body.namespace, body.service))
      fleet.putShard(from, receivedShard(body));
    else {
      log.warn({ cluster: from, key }, 'a document of the fleet has not the shape of its key');
      onRefused?.('body');
    }
  }

  #takeFacts(cluster: string, facts: ClusterFacts): void {
    const problem = this.#parts.fleet.setFacts(cluster, facts);
    if (problem === undefined) return;
    this.#parts.log.error({ cluster, problem }, 'what a cluster says of itself is refused');
    this.#parts.onRefused?.('bundle');
  }

  #remove(cluster: string, key: string): void {
    const [, namespace, service] = key.split('.');
    if (key.startsWith('shard.') && namespace !== undefined && service !== undefined)
      this.#parts.fleet.removeShard(cluster, { namespace, service });
  }
}
