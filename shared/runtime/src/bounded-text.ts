/** The body of an answer, as long as it is not too long. */
import type { IncomingMessage } from 'node:http';

/** Reads a body whole, as UTF-8; throws, and reads no further, when it has more than `limit` bytes. */
export async function boundedText(response: IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new Error(`the answer is longer than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
