/** What the streams of a NATS cluster say: who leads them, whether every copy is whole, and whether anything stale was ever stored. */
import { setTimeout as wait } from 'node:timers/promises';
import { type Bus, connectBus } from '@hawser/bus/bus.ts';
import { hubCredentials } from '@hawser/bus/nats-accounts.ts';
import { type OrderedConsumer, type StreamMessage, startOrderedConsumer } from '@hawser/bus/ordered-consumer.ts';
import { loadHubKeys } from '@hawser/hub/bus/hub-keys.ts';
import type { Document } from '@hawser/wire/envelope.ts';
import { CONFIG_PREFIX, CONFIG_STREAM, FLEET_PREFIX, FLEET_STREAM } from '@hawser/wire/subjects.ts';
import pino from 'pino';
import { eventually } from './served.ts';

const SIGNATURE_BYTES = 64;

/** A document as it was stored. */
interface StoredAt extends Pick<Document, 'epoch' | 'revision'> {
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly storedAt: number;
}

interface StreamInfo {
  readonly config: { readonly num_replicas: number };
  readonly cluster?: {
    readonly leader?: string;
    readonly replicas?: readonly { readonly current: boolean; readonly offline?: boolean }[];
  };
}

const log = pino({ level: 'silent' });

/** A connection of the hub's user to the servers. */
export class StreamWatch {
  readonly #bus: Bus;
  readonly #consumers: readonly OrderedConsumer[];
  /** By stream, by sequence: a list from the start, or from a server that lags behind, tells again what is known. */
  readonly #stored = new Map<string, Map<number, StoredAt>>();

  private constructor(bus: Bus) {
    this.#bus = bus;
    this.#consumers = [[CONFIG_STREAM, CONFIG_PREFIX] as const, [FLEET_STREAM, FLEET_PREFIX] as const].map(([stream, prefix]) => {
      const stored = new Map<number, StoredAt>();
      this.#stored.set(stream, stored);
      return startOrderedConsumer({ bus, stream, filter: `${prefix}.>`, log, onMessage: (message) => note(stored, message) });
    });
  }

  /** Connects with the keys of a hub, and follows what is stored. */
  static async open(keysDir: string, urls: readonly string[]): Promise<StreamWatch> {
    const { operator } = await loadHubKeys(keysDir);
    const bus = await connectBus({ urls, name: 'test', credentials: await hubCredentials(operator), log });
    await bus.ready();
    return new StreamWatch(bus);
  }

  /** How many documents were seen being stored. */
  get seen(): number {
    return [...this.#stored.values()].reduce((sum, stored) => sum + stored.size, 0);
  }

  /** Documents that were stored over newer ones of their subject: what a publisher that is fenced off can never do. */
  stale(): string[] {
    const stale: string[] = [];
    for (const stored of this.#stored.values()) {
      const newest = new Map<string, StoredAt>();
      for (const [sequence, one] of [...stored].sort(([a], [b]) => a - b)) {
        const before = newest.get(one.subject);
        if (before !== undefined && (one.epoch - before.epoch || one.revision - before.revision) < 0)
          stale.push(
            `${one.subject} ${one.epoch}.${one.revision} after ${before.epoch}.${before.revision}, stored as ${sequence}, ${one.storedAt - before.storedAt} ms later`,
          );
        newest.set(one.subject, one);
      }
    }
    return stale;
  }

  /** Number of the server that leads the fleet's stream. */
  async leader(): Promise<number> {
    let leader = '';
    await eventually(async () => {
      leader = (await this.#info(FLEET_STREAM))?.cluster?.leader ?? '';
      return leader !== '';
    }, 'nobody leads the stream');
    return Number(leader.slice('nats-'.length));
  }

  /** Resolves when both streams have three copies that know everything: from then on any one server may go. */
  async untilWhole(): Promise<void> {
    let times = 0;
    await eventually(async () => {
      const infos = await Promise.all([CONFIG_STREAM, FLEET_STREAM].map((stream) => this.#info(stream)));
      times = infos.every(isWhole) ? times + 1 : 0;
      // A server that was away for a moment only may not be missed yet.
      await wait(200);
      return times >= 3;
    }, 'the streams never have all their copies');
  }

  async close(): Promise<void> {
    for (const consumer of this.#consumers) consumer.stop();
    await this.#bus.close();
  }

  async #info(stream: string): Promise<StreamInfo | undefined> {
    try {
      const answer = await this.#bus.request(`$JS.API.STREAM.INFO.${stream}`, Buffer.from('{}'), { timeoutMs: 2_000 });
      return JSON.parse(Buffer.from(answer.bytes).toString()) as StreamInfo;
    } catch {
      return undefined;
    }
  }
}

function isWhole(info: StreamInfo | undefined): boolean {
  const { replicas = [] } = info?.cluster ?? {};
  return info?.config?.num_replicas === 3 && replicas.length === 2 && replicas.every(({ current, offline }) => current && offline !== true);
}

function note(stored: Map<number, StoredAt>, { subject, bytes, sequence, storedAt }: StreamMessage): void {
  // Fences are empty.
  if (bytes.length <= SIGNATURE_BYTES) return;
  const { epoch, revision } = JSON.parse(Buffer.from(bytes).subarray(SIGNATURE_BYTES).toString()) as Document;
  stored.set(sequence, { subject, epoch, revision, storedAt });
}
