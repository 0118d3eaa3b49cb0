/** What one proxy may cost: bounds that a well-behaved proxy never meets. */
import { StreamRefusal } from './ads-call.ts';

/** Names that a stream may ask for of one type; a mesh of 10,000 services in two subsets each is well below. */
export const MAX_NAMES = 50_000;

/** Streams of one proxy; more than one is an old connection that is not yet known to be dead. */
export const MAX_STREAMS = 4;

/** An authenticated call has to say what it wants within this time. */
export const FIRST_REQUEST_MS = 30_000;

/** The longest delay that a timer takes; connections are renewed long before. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Ends of tokens that were made together are spread over this part of what is left of them, and over a minute at most. */
const SPREAD = { part: 0.01, mostMs: 60_000 };

/** Calls back when a token that is valid until `expiresAt` (ms since 1970) has expired; returns how to stop. */
export function onExpiry(expiresAt: number | undefined, expired: (refusal: StreamRefusal) => void): () => void {
  if (expiresAt === undefined) return () => undefined;
  const left = Math.max(0, expiresAt - Date.now());
  const delay = left + Math.random() * Math.min(SPREAD.mostMs, left * SPREAD.part);
  if (delay > LONGEST_TIMER_MS) return () => undefined;
  const message = 'the proxy token has expired: make one with hawser proxy token and restart the proxy with it';
  const timer = setTimeout(() => expired(new StreamRefusal('unauthenticated', message)), delay);
  return () => clearTimeout(timer);
}

/** Refuses a stream that asks for too much. */
export function checkNames(count: number): void {
  if (count > MAX_NAMES) throw new StreamRefusal('exhausted', `${count} names of one type are asked for, at most ${MAX_NAMES} are served`);
}
