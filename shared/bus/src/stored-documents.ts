/** What a publisher finds of its own on the stream: the truth after every doubt. */
import { canonicalJson, sha256 } from '@hawser/runtime/canonical-json.ts';
import { type Document, open } from '@hawser/wire/envelope.ts';
import type { Verifier } from '@hawser/wire/signing.ts';
import { PartCollector, parsePartKey } from './document-parts.ts';
import type { StreamMessage } from './ordered-consumer.ts';

/** One key as the stream has it. `unusable`: nothing that a receiver would apply, such as half of its parts, or another epoch's. */
export interface StoredDocument {
  readonly state: 'live' | 'removed' | 'unusable';
  /** Of the publisher's own epoch; 0 when unknown. */
  readonly revision: number;
  /** `contentHash` of a live body. */
  readonly hash: string;
  /** Messages by part, retired parts left out. */
  readonly messages: readonly Uint8Array[];
  /** How many part subjects hold something that is not retired. */
  readonly partsInUse: number;
}

/** Whose documents are looked for. */
export interface StoredOwner {
  readonly prefix: string;
  readonly from: string;
  readonly epoch: number;
  readonly verifier: Verifier;
}

/** Frozen bodies, which the hub hands to a hundred publishers each. */
const hashes = new WeakMap<object, string>();

/** Hash by which bodies are compared, whatever the order of their fields. A frozen body must never change inside: it is hashed once. */
export function contentHash(body: unknown): string {
  if (typeof body !== 'object' || body === null || !Object.isFrozen(body)) return sha256(canonicalJson(body));
  const hash = hashes.get(body) ?? sha256(canonicalJson(body));
  hashes.set(body, hash);
  return hash;
}

/** Sorts listed messages by key and verifies each as a receiver would. */
export function readStored(messages: readonly StreamMessage[], owner: StoredOwner): Map<string, StoredDocument> {
  const byKey = new Map<string, Map<number, Uint8Array>>();
  for (const message of messages) {
    const { key, part } = parsePartKey(message.subject.slice(owner.prefix.length + 1));
    const parts = byKey.get(key) ?? new Map<number, Uint8Array>();
    byKey.set(key, parts.set(part, message.bytes));
  }
  return new Map([...byKey].map(([key, parts]) => [key, readKey(key, parts, owner)]));
}

function readKey(key: string, raw: ReadonlyMap<number, Uint8Array>, owner: StoredOwner): StoredDocument {
  const parts = new Map([...raw].map(([part, bytes]) => [part, openOwn({ key, part, bytes }, owner)]));
  const used = [...parts].filter(([part, document]) => document === undefined || part < document.parts || part === 0);
  const partsInUse = Math.max(0, ...used.map(([part]) => part + 1));
  const first = parts.get(0);
  const unusable: StoredDocument = { state: 'unusable', revision: first?.revision ?? 0, hash: '', messages: [], partsInUse };
  if (first === undefined || first.epoch !== owner.epoch) return { ...unusable, revision: 0 };
  const bytes = raw.get(0);
  if (bytes === undefined) return unusable;
  if (first.body === null) return { ...unusable, state: 'removed' };
  if (first.parts === 1) return { ...unusable, state: 'live', hash: contentHash(first.body), messages: [bytes] };
  const collector = new PartCollector();
  for (const [part, document] of parts) {
    if (document === undefined || part >= document.parts) continue;
    const whole = collector.add(document, raw.get(part) ?? bytes);
    if (whole !== undefined && whole !== 'malformed')
      return { ...unusable, state: 'live', hash: contentHash(whole.document.body), messages: whole.raw };
  }
  return unusable;
}

function openOwn(message: { key: string; part: number; bytes: Uint8Array }, owner: StoredOwner): Document | undefined {
  const document = open(message.bytes, (from) => (from === owner.from ? owner.verifier : undefined));
  return typeof document === 'object' && document.key === message.key && document.part === message.part ? document : undefined;
}
