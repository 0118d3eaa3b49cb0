/**
 * The signed envelope of everything published: 64 bytes Ed25519 signature, then the JSON it covers. The JSON names
 * its addressee, its key and (epoch, revision), so a document can neither be forged, redirected, renamed nor replayed.
 */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type Signer, sign, type Verifier, verify } from './signing.ts';

/** Raised when a message changes incompatibly; one release back must work. */
export const PROTOCOL = 1;
/** The largest message published; larger documents go in numbered parts. */
export const MAX_MESSAGE_BYTES = 256 * 1024;

export { HUB } from '@hawser/model/fleet.ts';

const SIGNATURE_BYTES = 64;

/** What the signature covers. */
export const Document = Type.Object({
  protocol: Type.Integer(),
  /** Publisher: `hub`, or a cluster's name. */
  from: Type.String(),
  /** Addressee: a cluster's name, or `*` for all members. */
  to: Type.String(),
  /** The key below `PREFIX.OWNER.`, such as `shard.bookinfo.reviews`. */
  key: Type.String(),
  epoch: Type.Integer({ minimum: 1 }),
  /** Rises with every document of one publisher and epoch. For the hub: the revision of the write. */
  revision: Type.Integer({ minimum: 0 }),
  /** Numbered parts of one document share key and revision; the document is applied when all are there. */
  part: Type.Integer({ minimum: 0 }),
  parts: Type.Integer({ minimum: 1 }),
  /** Null is a tombstone: the publisher removed the key. With parts > 1: a slice of the body's JSON text. */
  body: Type.Unknown(),
});
export type Document = Static<typeof Document>;

const document = Compile(Document);

/** Signs and encodes one document. */
export function seal(message: Document, signer: Signer): Uint8Array {
  const json = Buffer.from(JSON.stringify(message), 'utf8');
  return Buffer.concat([sign(json, signer), json]);
}

/** Why a message was refused. */
export type Refusal = 'malformed' | 'unknown-signer' | 'bad-signature' | 'wrong-address' | 'protocol';

/**
 * Verifies and decodes one message. `verifierOf` gives the key of the claimed publisher; it is asked before the
 * signature is checked, so nothing else of the JSON may be believed until then.
 */
export function open(bytes: Uint8Array, verifierOf: (from: string, epoch: number) => Verifier | undefined): Document | Refusal {
  if (bytes.length <= SIGNATURE_BYTES) return 'malformed';
  const json = bytes.subarray(SIGNATURE_BYTES);
  const message = parse(json);
  if (message === undefined) return 'malformed';
  const verifier = verifierOf(message.from, message.epoch);
  if (verifier === undefined) return 'unknown-signer';
  if (!verify(json, bytes.subarray(0, SIGNATURE_BYTES), verifier)) return 'bad-signature';
  return message.protocol === PROTOCOL ? message : 'protocol';
}

function parse(json: Uint8Array): Document | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString('utf8'));
    return document.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
