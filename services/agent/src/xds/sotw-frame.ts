/**
 * State-of-the-world responses put together from parts that were encoded before; only version and nonce differ between the
 * streams that are told the same (discovery.proto, `DiscoveryResponse`).
 */
import type { XdsType } from '@hawser/wire/messages.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import { type FramedMessage, framed } from './framed-messages.ts';
import { resourceFrames, stringField, typeAndNonce, writeAny } from './response-fields.ts';

/** What one response says. */
export interface SotwResponse {
  readonly type: XdsType;
  readonly version: string;
  readonly nonce: string;
  /** To be read before the stream is asked again. */
  readonly resources: Iterable<XdsResource>;
  /** The same resources, encoded before, if they were. */
  readonly encoded: readonly Uint8Array[] | undefined;
}

/** Field number of `DiscoveryResponse`. */
const VERSION = 1;

const frameOf = resourceFrames(writeAny);

/** The framed message of a response. */
export function encodeSotwResponse(response: SotwResponse): FramedMessage {
  const tail = [stringField(VERSION, response.version), ...typeAndNonce(response.type, response.nonce)];
  return framed(response.encoded ?? [Buffer.concat(encodeSet(response.resources))], tail);
}

/** The frames of resources; each is encoded at its first use. */
export function encodeSet(resources: Iterable<XdsResource>): Uint8Array[] {
  return Array.from(resources, frameOf);
}
