/** Messages of a gRPC stream (gRPC over HTTP2, "Length-Prefixed-Message"), uncompressed. Pure. */

const PREFIX = 5;

/** One message with its prefix. */
export function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Puts messages together again; throws on one that is compressed or longer than allowed. */
export class FrameReader {
  readonly #mostBytes: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** The messages that are whole now. */
  read(chunk: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const messages: Buffer[] = [];
    while (this.#rest.length >= PREFIX) {
      const length = this.#rest.readUInt32BE(1);
      if (this.#rest[0] !== 0) throw new Error('a compressed message, which was not asked for');
      if (length > this.#mostBytes) throw new Error(`a message of ${length} bytes; at most ${this.#mostBytes} are read`);
      if (this.#rest.length < PREFIX + length) break;
      messages.push(this.#rest.subarray(PREFIX, PREFIX + length));
      this.#rest = this.#rest.subarray(PREFIX + length);
    }
    return messages;
  }
}
