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
    error: errorDetail === undefined ? undefined : errorDetail.message || `code ${errorDetail.code}, without a message`,
  };
}
