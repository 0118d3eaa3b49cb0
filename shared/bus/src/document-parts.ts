/** Bodies too large for one message, in numbered parts. Part 0 is on the key's own subject, part N on `KEY.~N`, which no resource can be named. */
import { type Document, MAX_MESSAGE_BYTES, PROTOCOL, seal } from '@hawser/wire/envelope.ts';
import type { Signer } from '@hawser/wire/signing.ts';

/** UTF-16 units of body text in a part: at three bytes each (quotes and backslashes take two) the message stays below the limit. */
const PART_UNITS = 80_000;
/** More parts than this (10 MB) are refused by both ends. */
export const MAX_PARTS = 128;

/** Who says a document to whom, and where in its history. */
export type DocumentHead = Pick<Document, 'from' | 'to' | 'key' | 'epoch' | 'revision'>;

/** Subject suffix of a part. */
export function partKey(key: string, part: number): string {
  return part === 0 ? key : `${key}.~${part}`;
}

/** Splits a subject's suffix into key and part. */
export function parsePartKey(suffix: string): { readonly key: string; readonly part: number } {
  const mark = suffix.lastIndexOf('.~');
  const part = mark < 0 ? Number.NaN : Number(suffix.slice(mark + 2));
  return Number.isInteger(part) && part > 0 ? { key: suffix.slice(0, mark), part } : { key: suffix, part: 0 };
}

/** Negative when `a` is older than `b`, 0 when they are of one (epoch, revision). */
export function compareVersions(a: Pick<Document, 'epoch' | 'revision'>, b: Pick<Document, 'epoch' | 'revision'>): number {
  return a.epoch === b.epoch ? a.revision - b.revision : a.epoch - b.epoch;
}

/** Signs a document as one message or as many as its body needs; the index is the part. */
export function sealParts(head: DocumentHead, body: unknown, signer: Signer): Uint8Array[] {
  const whole = seal({ protocol: PROTOCOL, ...head, part: 0, parts: 1, body }, signer);
  if (whole.length <= MAX_MESSAGE_BYTES) return [whole];
  const text = JSON.stringify(body);
  const parts = Math.ceil(text.length / PART_UNITS);
  return Array.from({ length: parts }, (_, part) =>
    seal({ protocol: PROTOCOL, ...head, part, parts, body: text.slice(part * PART_UNITS, (part + 1) * PART_UNITS) }, signer),
  );
}

/** Signs the message that takes the place of a part no longer used: a part beyond its document's number. */
export function sealRetiredPart(head: DocumentHead, part: number, signer: Signer): Uint8Array {
  return seal({ protocol: PROTOCOL, ...head, part, parts: 1, body: null }, signer);
}

/** A document with all its messages, in order of parts. */
export interface WholeDocument {
  readonly document: Document;
  readonly raw: readonly Uint8Array[];
}

/** Collects the parts of one key. Only the newest (epoch, revision) is kept. */
export class PartCollector {
  #head: Document | undefined;
  #parts: ({ text: string; raw: Uint8Array } | undefined)[] = [];

  /** The whole document once its last part is here; `malformed` when the parts do not make one. */
  add(document: Document, raw: Uint8Array): WholeDocument | 'malformed' | undefined {
    if (document.parts > MAX_PARTS || document.part >= document.parts || typeof document.body !== 'string') return 'malformed';
    const head = this.#head;
    if (head !== undefined && compareVersions(document, head) < 0) return undefined;
    if (head === undefined || head.epoch !== document.epoch || head.revision !== document.revision || head.parts !== document.parts) {
      this.#head = document;
      this.#parts = Array.from({ length: document.parts });
    }
    this.#parts[document.part] = { text: document.body, raw };
    const parts = this.#parts.filter((part) => part !== undefined);
    if (parts.length < document.parts) return undefined;
    this.#head = undefined;
    this.#parts = [];
    return join(document, parts);
  }
}

function join(document: Document, parts: readonly { text: string; raw: Uint8Array }[]): WholeDocument | 'malformed' {
  try {
    const body: unknown = JSON.parse(parts.map((part) => part.text).join(''));
    return { document: { ...document, part: 0, parts: 1, body }, raw: parts.map((part) => part.raw) };
  } catch {
    return 'malformed';
  }
}
