/** Which upstreams the workloads of each namespace use: what policy names, and what their proxies asked for lately (decision 0017). */
import type { Resource } from '@hawser/model/resource.ts';
import { CalledServices, serviceOfUpstream } from './translate/scope/called-services.ts';
import type { UpstreamUse } from './xds/unasked-upstreams.ts';

/** One upstream that proxies of a namespace asked for. */
export interface SavedUse {
  readonly namespace: string;
  readonly upstream: string;
  /** When one asked last, in ms since 1970. */
  readonly askedAt: number;
}

/** What it works with. */
export interface RecentUseParts {
  /** Up to so many upstreams, proxies are sent them all. */
  readonly sendsAllUpTo: number;
  /** Of the last good state. */
  readonly saved: readonly SavedUse[];
  /** Policies in force, by resource key. */
  policies(): ReadonlyMap<string, Resource>;
  /** Milliseconds since 1970. */
  now(): number;
  /** What is to be saved differs. */
  onChange(): void;
}

/**
 * An upstream that nobody asked for in so long is not sent unasked any more. Whoever was sent it keeps it; a proxy that starts later asks
 * when it needs it, and so the time begins again: a request waits once in a week.
 */
const RECENT_MS = 7 * 24 * 3_600_000;
/** Asked for again within this, nothing is saved anew. */
const SAVED_EVERY_MS = 3_600_000;
/** Of one namespace. Beyond it, what was asked for first goes. */
const MOST_UPSTREAMS = 10_000;

/** Remembers what was asked for. */
export class RecentUse implements UpstreamUse {
  readonly #parts: RecentUseParts;
  readonly #askedAt = new Map<string, Map<string, number>>();
  readonly #called = new CalledServices();

  constructor(parts: RecentUseParts) {
    this.#parts = parts;
    for (const { namespace, upstream, askedAt } of parts.saved) this.#of(namespace).set(upstream, askedAt);
  }

  get sendsAllUpTo(): number {
    return this.#parts.sendsAllUpTo;
  }

  named(namespace: string): ReadonlySet<string> {
    return this.#called.of(namespace, this.#parts.policies());
  }

  isOf(upstream: string, services: ReadonlySet<string>): boolean {
    return services.has(serviceOfUpstream(upstream) ?? '');
  }

  isRecent(namespace: string, upstream: string): boolean {
    return this.#isRecent(this.#askedAt.get(namespace)?.get(upstream));
  }

  asked(namespace: string, upstream: string): void {
    const [asked, now] = [this.#of(namespace), this.#parts.now()];
    const before = asked.get(upstream);
    asked.delete(upstream);
    asked.set(upstream, now);
    const [first] = asked.keys();
    if (asked.size > MOST_UPSTREAMS && first !== undefined) asked.delete(first);
    if (before === undefined || now - before > SAVED_EVERY_MS) this.#parts.onChange();
  }

  /** What is saved, in an order of its own. */
  saved(): SavedUse[] {
    const all = [...this.#askedAt].flatMap(([namespace, asked]) =>
      [...asked].map(([upstream, askedAt]) => ({ namespace, upstream, askedAt })),
    );
    return all.filter(({ askedAt }) => this.#isRecent(askedAt));
  }

  #isRecent(askedAt: number | undefined): boolean {
    return askedAt !== undefined && this.#parts.now() - askedAt < RECENT_MS;
  }

  #of(namespace: string): Map<string, number> {
    const asked = this.#askedAt.get(namespace) ?? new Map<string, number>();
    this.#askedAt.set(namespace, asked);
    return asked;
  }
}
