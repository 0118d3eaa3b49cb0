/** A delta request as the state machine reads it. */
import { fromBinary } from '@bufbuild/protobuf';
import { type DeltaDiscoveryRequest, DeltaDiscoveryRequestSchema } from '@hawser/xds/generated/envoy/service/discovery/v3/discovery_pb.ts';

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

/** Decodes a message of the stream; throws when the bytes are no request. */
export function decodeRequest(bytes: Uint8Array): DeltaDiscoveryRequest {
  return fromBinary(DeltaDiscoveryRequestSchema, bytes);
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
