/**
 * A state-of-the-world request as the state machine reads it. Every request, each ACK too, repeats all names of its type;
 * those are compared as bytes with the request before and only read when they differ (discovery.proto, `DiscoveryRequest`).
 */
import { fromBinary } from '@bufbuild/protobuf';
import { type Node, NodeSchema } from '@hawser/xds/generated/envoy/config/core/v3/base_pb.ts';
import { StatusSchema } from '@hawser/xds/generated/google/rpc/status_pb.ts';
import { refusalText } from './delta-request.ts';
import { NameRuns } from './name-runs.ts';
import { fieldAt, varint } from './request-fields.ts';

/** The part of a `DiscoveryRequest` that concerns one type's subscription. */
export interface SotwRequest {
  /** The version the client has; of an earlier stream in the first request of a type. */
  readonly version: string;
  /** All names that it wants from now on; the same array as before when they did not change. */
  readonly names: readonly string[];
  /** Nonce of the latest response of the type; empty when there was none. */
  readonly nonce: string;
  /** Set for a NACK, and only then (xds_protocol: never inferred from versions). */
  readonly error: string | undefined;
}

/** A decoded message. */
export interface SotwMessage {
  readonly typeUrl: string;
  readonly node: Node | undefined;
  readonly request: SotwRequest;
}

const FIELD = { version: 1, node: 2, names: 3, typeUrl: 4, nonce: 5, error: 6 } as const;
const NAMES_TAG = (FIELD.names << 3) | 2;
/** Requests whose names are remembered: one per type that is served, and a little room. */
const REMEMBERED = 8;

/** Decodes the messages of one stream; throws for bytes that are no request. */
export class SotwDecoder {
  readonly #runs = new NameRuns(NAMES_TAG, REMEMBERED);

  decode(bytes: Buffer): SotwMessage {
    let [version, typeUrl, nonce] = ['', '', ''];
    let names: readonly string[] = [];
    let node: Node | undefined;
    let error: string | undefined;
    for (let at = 0; at < bytes.length; ) {
      const tag = varint(bytes, at);
      if (tag.value === NAMES_TAG) {
        const run = this.#runs.find(bytes, at) ?? this.#runs.read(bytes, at);
        names = names.length === 0 ? run.names : [...names, ...run.names];
        at += run.bytes.length;
        continue;
      }
      const field = fieldAt(bytes, tag);
      at = field.end;
      if (field.content === undefined) continue;
      const number = tag.value >>> 3;
      if (number === FIELD.version) version = field.content.toString('utf8');
      else if (number === FIELD.typeUrl) typeUrl = field.content.toString('utf8');
      else if (number === FIELD.nonce) nonce = field.content.toString('utf8');
      else if (number === FIELD.node) node = fromBinary(NodeSchema, field.content);
      else if (number === FIELD.error) error = refusalText(fromBinary(StatusSchema, field.content));
    }
    return { typeUrl, node, request: { version, names, nonce, error } };
  }
}
