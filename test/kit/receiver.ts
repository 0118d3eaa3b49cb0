/** A watcher that remembers what it heard and lets a test await it. */
import type { Bus } from '@hawser/bus/bus.ts';
import { type DocumentWatcher, type HeardDigest, type WatchOptions, watchDocuments } from '@hawser/bus/document-watcher.ts';
import { generateSigner, type Signer, verifierOf } from '@hawser/wire/signing.ts';
import { CONFIG_PREFIX, CONFIG_STREAM, configSubjects, FLEET_PREFIX, FLEET_STREAM } from '@hawser/wire/subjects.ts';
import pino from 'pino';

/** What a receiver heard, in order. */
export interface Receiver {
  readonly watcher: DocumentWatcher;
  /** `OWNER KEY` → body; removed keys are gone. */
  readonly held: Map<string, unknown>;
  /** Every document, as `KEY@REVISION`, `-KEY@REVISION` for removals. */
  readonly heard: string[];
  /** Sealed messages by key. */
  readonly raw: Map<string, readonly Uint8Array[]>;
  readonly refused: string[];
  readonly absent: string[];
  readonly stale: string[];
  readonly digests: Map<string, HeardDigest>;
  lists: number;
  /** Resolves as soon as the condition holds after something was heard. */
  until(condition: () => boolean): Promise<void>;
}

/** Keys of the publishers of a test: cluster names, and `hub`. */
export class Keyring {
  readonly #signers = new Map<string, Signer>();

  of(name: string): Signer {
    const signer = this.#signers.get(name) ?? generateSigner();
    this.#signers.set(name, signer);
    return signer;
  }
}

/** Watches all fleet documents, as every agent does. */
export function receiveFleet(bus: Bus, keys: Keyring, changes: Partial<WatchOptions> = {}): Receiver {
  const options = { stream: FLEET_STREAM, prefix: FLEET_PREFIX, filter: `${FLEET_PREFIX}.>`, owner: 'from' as const };
  return receive({
    bus,
    ...options,
    verifierOf: (from) => verifierOf(keys.of(from).publicKey),
    accept: (document) => document.to === '*',
    ...changes,
  });
}

/** Watches what the hub tells one cluster. */
export function receiveConfig(bus: Bus, cluster: string, keys: Keyring): Receiver {
  const options = { stream: CONFIG_STREAM, prefix: CONFIG_PREFIX, filter: configSubjects(cluster), owner: 'to' as const };
  const hub = verifierOf(keys.of('hub').publicKey);
  return receive({
    ...{ bus, ...options },
    verifierOf: (from) => (from === 'hub' ? hub : undefined),
    accept: (document) => document.from === 'hub' && document.to === cluster,
  });
}

type Given = Omit<WatchOptions, 'log' | 'onDocument'>;

function receive(options: Given): Receiver {
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const check of [...waiting]) check();
  };
  const heard = { held: new Map(), heard: [], raw: new Map(), refused: [], absent: [], stale: [], digests: new Map(), lists: 0 };
  const log = pino({ level: 'silent' });
  const receiver: Omit<Receiver, 'watcher'> = {
    ...heard,
    until: (condition) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!condition()) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
  };
  const watcher = watchDocuments({
    idleHeartbeatMs: 200,
    ...options,
    log,
    onDocument: (document, raw) => {
      const { key, revision, body } = document;
      receiver.heard.push(`${body === null ? '-' : ''}${key}@${revision}`);
      if (body === null) receiver.held.delete(`${document[options.owner]} ${key}`);
      else receiver.held.set(`${document[options.owner]} ${key}`, body);
      receiver.raw.set(key, raw);
      wake();
    },
    onDigest: (owner, digest) => {
      receiver.digests.set(owner, digest);
      wake();
    },
    onAbsent: (owner, keys) => {
      receiver.absent.push(...keys.map((key) => `${owner} ${key}`));
      wake();
    },
    onRefused: (reason, subject) => {
      receiver.refused.push(`${reason} ${subject}`);
      wake();
    },
    onStale: (owner) => {
      receiver.stale.push(owner);
      wake();
    },
    onListed: () => {
      receiver.lists += 1;
      wake();
    },
  });
  return Object.assign(receiver, { watcher });
}
