/** What is no HTTP that could be routed is answered with a Status all the same, where the connection still takes an answer. */
import { maxHeaderSize, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { StatusError, type StatusReason, statusOf } from './status.ts';

const PROBLEMS: Readonly<Record<string, readonly [StatusReason, string]>> = {
  HPE_HEADER_OVERFLOW: [
    'RequestHeaderFieldsTooLarge',
    `URL and headers together are longer than ${maxHeaderSize} bytes: send less, such as a shorter selector`,
  ],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['RequestEntityTooLarge', 'the chunk extensions of the body are too long'],
  ERR_HTTP_REQUEST_TIMEOUT: ['RequestTimeout', 'the request did not come in time: it was not acted on'],
};

const LINGER_MS = 1000;

/** Answers and closes (Node's `clientError` event). */
export function answerClientError(error: Error & { readonly code?: string | undefined }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || socket.writableEnded) return;
  const [reason, message] = PROBLEMS[error.code ?? ''] ?? [
    'BadRequest',
    `this is not HTTP: ${error.message.replace(/^Parse Error: /, '')}`,
  ];
  const status = statusOf(new StatusError(reason, message));
  const body = JSON.stringify(status);
  const head = [
    `HTTP/1.1 ${status.code} ${STATUS_CODES[status.code]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  if (!socket.writable) return void socket.destroy();
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // Closed at once, what the client still sends would reset the connection, and the answer with it.
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
