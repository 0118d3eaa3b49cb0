/** The body of a request or an answer, as long as it is not too long. */
import type { IncomingMessage } from 'node:http';

/** A body has more bytes than its reader takes. */
export class TooLong extends Error {}

/** Reads a body whole, as UTF-8; throws `TooLong`, and reads no further, when it has more than `limit` bytes. */
export async function boundedText(message: IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new TooLong(`the body is longer than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
