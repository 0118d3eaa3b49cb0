/** The two variants of ADS, delta and state of the world, as the server uses them: bytes in, bytes out. */
import type { XdsType } from '@hawser/wire/messages.ts';
import type { Node } from '@hawser/xds/generated/envoy/config/core/v3/base_pb.ts';
import { type DeltaRequest, decodeRequest, deltaRequestOf } from './delta-request.ts';
import { DeltaStream } from './delta-stream.ts';
import type { FramedMessage } from './framed-messages.ts';
import type { ResourceView } from './resource-view.ts';
import { encodeResponse } from './response-frame.ts';
import { encodeSotwResponse } from './sotw-frame.ts';
import { SotwDecoder, type SotwRequest } from './sotw-request.ts';
import { SotwStream } from './sotw-stream.ts';
import type { StreamMachine, StreamOptions } from './stream-machine.ts';

/** A decoded request. */
export interface DialectMessage<Request> {
  readonly typeUrl: string;
  /** Guaranteed in the first request of a stream only. */
  readonly node: Node | undefined;
  readonly request: Request;
}

/** A state machine whose responses come encoded. */
export interface DialectMachine<Request> extends StreamMachine<Request> {
  /** The next response to write at `now`, as a framed message; it counts as sent. */
  write(now: number): { readonly type: XdsType; readonly message: FramedMessage } | undefined;
}

/** One stream's side of a variant. */
export interface Dialect<Request> {
  readonly name: 'delta' | 'sotw';
  /** Throws for bytes that are no request. */
  decode(bytes: Buffer): DialectMessage<Request>;
  open(view: ResourceView, options: StreamOptions): DialectMachine<Request>;
}

/** Delta, for one stream. */
export function deltaDialect(): Dialect<DeltaRequest> {
  return {
    name: 'delta',
    decode: (bytes) => {
      const message = decodeRequest(bytes);
      return { typeUrl: message.typeUrl, node: message.node, request: deltaRequestOf(message) };
    },
    open: (view, options) => new WrittenDelta(view, options),
  };
}

/** State of the world, for one stream. */
export function sotwDialect(): Dialect<SotwRequest> {
  const decoder = new SotwDecoder();
  return { name: 'sotw', decode: (bytes) => decoder.decode(bytes), open: (view, options) => new WrittenSotw(view, options) };
}

class WrittenDelta extends DeltaStream implements DialectMachine<DeltaRequest> {
  write(now: number): ReturnType<DialectMachine<DeltaRequest>['write']> {
    const response = this.next(now);
    return response === undefined ? undefined : { type: response.type, message: encodeResponse(response) };
  }
}

class WrittenSotw extends SotwStream implements DialectMachine<SotwRequest> {
  write(now: number): ReturnType<DialectMachine<SotwRequest>['write']> {
    const response = this.next(now);
    return response === undefined ? undefined : { type: response.type, message: encodeSotwResponse(response) };
  }
}
