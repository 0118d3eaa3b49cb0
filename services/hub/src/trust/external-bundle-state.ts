/** PURE: what becomes of an external trust domain's bundle when its endpoint has answered, or has not. */
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import type { ReadBundle } from './spiffe-bundle-text.ts';

/** What is known of it. */
export interface KnownBundle {
  /** PEM; null before the first answer that counted. */
  readonly certificates: readonly string[] | null;
  readonly sequence: string | null;
  readonly refreshSeconds: number | null;
  /** SHA-256 of the answer that waits to be confirmed; '' when none does. */
  readonly held: string;
}

/** What is to be stored. */
export interface NextBundle extends KnownBundle {
  readonly fetchedAt: Date | null;
  readonly nextAt: Date;
  /** Why the answer does not count; '' when it does. */
  readonly problem: string;
}

/** How often endpoints are asked. */
export interface RefreshBounds {
  readonly least: number;
  readonly most: number;
}

/** Seconds. SPIFFE Trust Domain and Bundle 4.1.2 leaves it to the consumer where there is no hint; of 0, it is none. */
export const DEFAULT_REFRESH_S = 300;
/** Seconds: nobody is asked more often than each minute, nor less than each day, whatever it says. */
export const REFRESH_BOUNDS: RefreshBounds = { least: 60, most: 86_400 };

/** At most this part of the time until the next look comes on top of it: never less, for nobody is asked sooner than it allows. */
const SPREAD = 0.1;

/** An answer, or why there is none. */
export type Answer = ReadBundle | { readonly problem: string };

/** What an answer is judged by. */
export interface Judging {
  readonly now: Date;
  readonly bounds: RefreshBounds;
  /** The trust domain that has one of its keys already, if there is one. */
  readonly owner: string | undefined;
  /** From 0 to 1, at random: those that were asked at once are not asked at once for ever. */
  readonly jitter: number;
}

/** The state after an answer. What does not count changes nothing but the reason and the time of the next try: the last good one stays. */
export function afterAnswer(known: KnownBundle, answer: Answer, judging: Judging): NextBundle {
  const problem = 'problem' in answer ? answer.problem : refusal(known, answer, judging.owner);
  if (problem !== undefined || 'problem' in answer) return unchanged(known, problem ?? '', judging);
  const { certificates, sequence } = answer;
  const digest = sha256(`${sequence ?? ''}\n${certificates.join('')}`);
  if (certificates.length === 0 && (known.certificates ?? []).length > 0 && known.held !== digest) {
    const problem =
      'it has no keys: nobody of it is to be believed any more. It is obeyed when it says so once more; until then the last good one counts';
    return { ...unchanged(known, problem, judging), held: digest };
  }
  const refreshSeconds = boundedRefresh(answer.refreshHint, judging.bounds);
  const nextAt = later(judging, refreshSeconds);
  return { certificates, sequence: sequence?.toString() ?? null, refreshSeconds, held: '', fetchedAt: judging.now, nextAt, problem: '' };
}

/** Seconds until the next look. */
export function boundedRefresh(hint: number | undefined, { least, most }: RefreshBounds): number {
  return Math.min(most, Math.max(least, hint === undefined || hint === 0 ? DEFAULT_REFRESH_S : hint));
}

function refusal({ sequence, certificates }: KnownBundle, answer: ReadBundle, owner: string | undefined): string | undefined {
  if (owner !== undefined) return `it holds a key that is an authority of ${owner}: one could speak for the other`;
  if (sequence === null) return undefined;
  const last = BigInt(sequence);
  if (answer.sequence === undefined) return `it has no spiffe_sequence any more, and had ${last}`;
  if (answer.sequence < last)
    return `its spiffe_sequence went back from ${last} to ${answer.sequence}: it is an old one, or somebody else's`;
  const isOther = JSON.stringify(certificates) !== JSON.stringify(answer.certificates);
  return answer.sequence === last && isOther ? `it is another bundle with the same spiffe_sequence ${last}` : undefined;
}

function later({ now, jitter }: Judging, seconds: number): Date {
  return new Date(now.getTime() + seconds * 1000 * (1 + SPREAD * jitter));
}

function unchanged(known: KnownBundle, problem: string, judging: Judging): NextBundle {
  return { ...known, held: '', fetchedAt: null, nextAt: later(judging, judging.bounds.least), problem };
}
