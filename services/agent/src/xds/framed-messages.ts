/**
 * gRPC's length-prefixed messages made here, so that the bytes of one response go to any number of streams as they are.
 * grpc-js copies every message for every stream to put five bytes before it: for many proxies that connect together that is
 * most of the memory and much of the time (docs/decisions/0010-benchmarks-against-a-peer.md).
 */
import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';

/** Compressed flag, and the length in network order (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const PREFIX_BYTES = 5;

/** Smaller messages go in one piece: a copy of them costs less than a write. */
const LARGE_BYTES = 16 * 1024;

/** The pieces of one message on the wire, in order. Pieces may belong to messages of other streams too. */
export type FramedMessage = readonly Buffer[];

/** An uncompressed message of `shared`, which is not copied if it is large, and `tail`. */
export function framed(shared: readonly Uint8Array[], tail: readonly Uint8Array[]): FramedMessage {
  const bytes = bytesOf(shared);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(bytes + bytesOf(tail), 1);
  if (bytes < LARGE_BYTES) return [Buffer.concat([prefix, ...shared, ...tail])];
  return [prefix, ...shared.map((piece) => Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)), Buffer.concat(tail)];
}

/** The message in a frame. */
export function unframed(message: FramedMessage): Buffer {
  return Buffer.concat(message).subarray(PREFIX_BYTES);
}

/** How long all of it is. */
export function bytesOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((bytes, piece) => bytes + piece.length, 0);
}

/**
 * Has the calls of these methods take the pieces of framed messages, one by one. The function that is replaced is not public: the
 * version of grpc-js is pinned, and one without it is refused at once.
 */
export function takesFramed(paths: ReadonlySet<string>): ServerInterceptor {
  return (method, call) => {
    if (!paths.has(method.path)) return new ServerInterceptingCall(call);
    if (!('serializeMessage' in call)) throw new Error('this version of @grpc/grpc-js frames messages otherwise: see framed-messages.ts');
    call.serializeMessage = (piece: Buffer) => piece;
    return new ServerInterceptingCall(call);
  };
}
