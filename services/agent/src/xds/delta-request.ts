/** A delta request as the state machine reads it. */
import { fromBinary } from '@bufbuild/protobuf';
import { type DeltaDiscoveryRequest, DeltaDiscoveryRequestSchema } from '@hawser/xds/generated/envoy/service/discovery/v3/discovery_pb.ts';
import { NameRuns } from './name-runs.ts';
import { fieldAt, varint } from './request-fields.ts';

/** The part of a `DeltaDiscoveryRequest` that concerns one type's subscription. */
export interface DeltaRequest {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Name → version that the client has from an earlier stream; counts in the first request of a type only. */
  readonly initialVersions: ReadonlyMap<string, string>;
  /** Nonce of the response it answers; empty when it answers none. */
  readonly nonce: string;
  /** Set for a NACK, and only then (xds_protocol: never inferred from versions). */
  readonly error: string | undefined;
}

/** Characters of a refusal that are kept: enough for the reason, little enough for a thousand resources refused at once. */
const LONGEST_REFUSAL = 4_096;

const SUBSCRIBE_TAG = (DeltaDiscoveryRequestSchema.field.resourceNamesSubscribe.number << 3) | 2;
/** Proxies that come together ask for the same names, in the same order: those of the last few long requests, of whatever stream. */
const asked = new NameRuns(SUBSCRIBE_TAG, 4);
/** Shorter runs are read anew: that costs little. */
const LONG_RUN_BYTES = 4_096;

/** Decodes a message of the stream; throws when the bytes are no request. */
export function decodeRequest(bytes: Buffer): DeltaDiscoveryRequest {
  if (bytes.length < LONG_RUN_BYTES) return fromBinary(DeltaDiscoveryRequestSchema, bytes);
  const start = firstField(bytes, SUBSCRIBE_TAG);
  const run = start === undefined ? undefined : asked.find(bytes, start);
  if (start === undefined || run === undefined) return decodedAnew(bytes, start);
  const rest = Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + run.bytes.length)]);
  const message = fromBinary(DeltaDiscoveryRequestSchema, rest);
  if (message.resourceNamesSubscribe.length > 0) return fromBinary(DeltaDiscoveryRequestSchema, bytes);
  // The very list, so that who compares it knows it again; nobody changes it.
  message.resourceNamesSubscribe = run.names as string[];
  return message;
}

function decodedAnew(bytes: Buffer, start: number | undefined): DeltaDiscoveryRequest {
  const message = fromBinary(DeltaDiscoveryRequestSchema, bytes);
  if (start !== undefined) asked.read(bytes, start);
  return message;
}

/** Where the first field with this tag starts. */
function firstField(bytes: Buffer, tag: number): number | undefined {
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] === tag) return at;
    at = fieldAt(bytes, varint(bytes, at)).end;
  }
  return undefined;
}

/** What the message asks of its type. */
export function deltaRequestOf(message: DeltaDiscoveryRequest): DeltaRequest {
  const { errorDetail } = message;
  return {
    subscribe: message.resourceNamesSubscribe,
    unsubscribe: message.resourceNamesUnsubscribe,
    initialVersions: new Map(Object.entries(message.initialResourceVersions)),
    nonce: message.responseNonce,
    error: errorDetail === undefined ? undefined : refusalText(errorDetail),
  };
}

/** What a client says of what it refuses; never empty. */
export function refusalText(detail: { readonly code: number; readonly message: string }): string {
  return detail.message.slice(0, LONGEST_REFUSAL) || `code ${detail.code}, without a message`;
}
