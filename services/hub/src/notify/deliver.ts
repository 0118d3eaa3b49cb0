/** One attempt to tell a sink. */
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { DELIVERY_HEADER, EVENT_HEADER, type NotificationEvent, SIGNATURE_HEADER } from '@hawser/wire/notifications.ts';
import { boundedRequest } from '../outgoing/bounded-request.ts';
import { secretIn, type WebhookSink } from '../outgoing/integrations.ts';

const TIMEOUT_MS = 10_000;

/** Resolves when the sink has taken it (2xx); rejects with `Error` and the reason, which names no secret and no path. */
export async function deliver(sink: WebhookSink, event: NotificationEvent, signal: AbortSignal): Promise<void> {
  const body = JSON.stringify(event);
  const secret = await secretOf(sink);
  const { status } = await boundedRequest(new URL(sink.url), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      [EVENT_HEADER]: event.type,
      [DELIVERY_HEADER]: event.id,
      ...(secret === undefined ? {} : { [SIGNATURE_HEADER]: signatureOf(body, secret) }),
    },
    ...{ body, timeoutMs: TIMEOUT_MS, mostBytes: 0, signal },
    ...(sink.caFile === undefined ? {} : { tls: { ca: await readFile(sink.caFile, 'utf8') } }),
  });
  if (status < 200 || status > 299) throw new Error(`it answered ${status}`);
}

/** `sha256=` and the hex HMAC-SHA256 of the body. Pure. */
export function signatureOf(body: string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

/** What was configured must be there: an unsigned notification would be taken for a forged one. */
async function secretOf({ secretFile, secretEnv }: WebhookSink): Promise<string | undefined> {
  if (secretFile !== undefined) return await secretIn(secretFile);
  if (secretEnv === undefined) return undefined;
  const secret = process.env[secretEnv];
  if (secret === undefined || secret === '') throw new Error(`the environment has no ${secretEnv}`);
  return secret;
}
