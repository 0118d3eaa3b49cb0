/** Reads every connected proxy once a second, adds up what they counted, and tells the hub (decision 0028). */
import type { Bus } from '@hawser/bus/bus.ts';
import { sealParts } from '@hawser/bus/document-parts.ts';
import { backoffMs } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { HUB } from '@hawser/wire/envelope.ts';
import type { ProxyStatus } from '@hawser/wire/messages.ts';
import type { Signer } from '@hawser/wire/signing.ts';
import { trafficSubject } from '@hawser/wire/subjects.ts';
import type { PastReport, TrafficReport, TrafficSeries } from '@hawser/wire/traffic.ts';
import type { PlainCallers } from '../plain/plain-callers.ts';
import { PastSums } from './past-sums.ts';
import { ProxyReader } from './read-proxy.ts';
import type { SavedTraffic } from './saved-traffic.ts';
import type { Beginning, TrafficLedger } from './traffic-ledger.ts';

/** What it works with. */
export interface TrafficReporterParts {
  readonly bus: Bus;
  readonly cluster: string;
  readonly replica: string;
  readonly epoch: number;
  readonly signer: Signer;
  readonly log: Logger;
  readonly ledger: TrafficLedger;
  readonly disk: SavedTraffic;
  /** Who does not come by the mesh's TLS is told to it. */
  readonly plain: PlainCallers;
  /** Revisions of messages, rising over restarts. */
  nextRevision(): number;
  /** The connected proxies. */
  proxies(): readonly Pick<ProxyStatus, 'proxy' | 'role' | 'address' | 'connectedAt'>[];
  /** Whether other agents of the cluster may count the same proxies in turn. */
  isShared(): boolean;
  readonly port?: number;
  /** Milliseconds from one reading of so many proxies to the next; asked before each. */
  periodMs?(proxies: number): number;
  readonly now?: () => number;
}

const PERIOD_MS = 1_000;
/** Between two rounds, however long they take. */
const LEAST_PAUSE_MS = 50;
/** How often it is looked whether the period is another. */
const SLICE_MS = 100;
/** A proxy that hangs must not hold up the others' counts. */
const READ_DEADLINE_MS = 700;
/** Reads at once: each holds an answer in memory. */
const READERS = 16;
/** A proxy that began this long before it connected was never another agent's. */
const FRESH_SECONDS = 10;
/** What did not change is told again within this many messages. */
const TURNS = 10;
/** What changed is told this often, for a hub that missed some. */
const REPEATS = 3;
/** A proxy that does not answer is left out for up to this long. */
const MOST_PAUSE_MS = 10_000;

interface Trouble {
  readonly failures: number;
  readonly until: number;
}

/** Counts until stopped. */
export class TrafficReporter {
  readonly #parts: TrafficReporterParts;
  readonly #reader: ProxyReader;
  readonly #now: () => number;
  readonly #troubles = new Map<string, Trouble>();
  /** How often a key is still told because it changed. */
  readonly #recent = new Map<string, number>();
  #inFlight = new Map<string, number>();
  readonly #past = new PastSums();
  /** Since when a hub wants to be told again, by the monotonic clock. */
  #askedSince: number | undefined;
  #present: ReadonlySet<string> = new Set();
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;
  /** When the last round began, by the monotonic clock. */
  #begun = performance.now();
  #round: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(parts: TrafficReporterParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
    this.#reader = new ProxyReader(parts.port);
    this.#schedule(0);
  }

  /** Proxies that could not be read in the last round. */
  get missing(): number {
    return this.#troubles.size;
  }

  /** The next report tells again what was counted in the last so many milliseconds. */
  tellAgain(sinceMs: number): void {
    this.#askedSince = Math.min(this.#askedSince ?? Number.POSITIVE_INFINITY, performance.now() - sinceMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#round;
    this.#reader.close();
  }

  #periodMs(): number {
    return this.#parts.periodMs?.(this.#present.size) ?? PERIOD_MS;
  }

  /** In slices: a period that is shorter now than when the round before ended holds at once. */
  #schedule(leastMs: number): void {
    if (this.#stopped) return;
    const left = Math.max(this.#begun + this.#periodMs() - performance.now(), leastMs);
    this.#timer = setTimeout(() => (left > SLICE_MS ? this.#schedule(0) : this.#begin()), Math.min(left, SLICE_MS)).unref();
  }

  #begin(): void {
    this.#begun = performance.now();
    this.#round = this.#count().finally(() => this.#schedule(LEAST_PAUSE_MS));
  }

  async #count(): Promise<void> {
    try {
      const read = await this.#readAll();
      // Before the hub hears of it: what it was told is never counted again by this agent's next process.
      await this.#parts.disk.write(this.#parts.ledger);
      this.#tell(read);
    } catch (error) {
      this.#parts.log.error({ err: error }, 'traffic was not counted');
    }
  }

  async #readAll(): Promise<number> {
    const { ledger, isShared } = this.#parts;
    this.#parts.plain.forgetGone(this.#now());
    const proxies = this.#parts.proxies().filter(({ role }) => role !== 'gateway');
    const names = new Set(proxies.map(proxyKey));
    if (isShared()) for (const gone of this.#present) if (!names.has(gone)) ledger.forget(gone);
    for (const name of this.#troubles.keys()) if (!names.has(name)) this.#troubles.delete(name);
    // What has only just come is read from the next round on: when many connect at once, their configuration goes first.
    const known = proxies.filter((proxy) => this.#present.has(proxyKey(proxy)));
    this.#present = names;
    this.#inFlight = new Map();
    const waiting = known.filter((proxy) => (this.#troubles.get(proxyKey(proxy))?.until ?? 0) <= this.#now());
    let read = 0;
    const next = async (): Promise<void> => {
      for (let proxy = waiting.shift(); proxy !== undefined; proxy = waiting.shift()) if (await this.#read(proxy)) read += 1;
    };
    await Promise.all(Array.from({ length: READERS }, next));
    return read;
  }

  async #read(proxy: ReturnType<TrafficReporterParts['proxies']>[number]): Promise<boolean> {
    const { ledger, plain, log } = this.#parts;
    const name = proxyKey(proxy);
    try {
      const counts = await this.#reader.read(proxy.address, READ_DEADLINE_MS);
      const beginning = this.#beginningOf(counts.uptime, proxy.connectedAt);
      ledger.take(name, counts, beginning);
      plain.take(name, { counts: counts.plain, uptime: counts.uptime, now: this.#now(), fromBeginning: beginning === 'count' });
      for (const [key, active] of counts.inFlight) {
        const under = ledger.keyOf(key);
        this.#inFlight.set(under, (this.#inFlight.get(under) ?? 0) + active);
      }
      this.#troubles.delete(name);
      return true;
    } catch (error) {
      const failures = (this.#troubles.get(name)?.failures ?? 0) + 1;
      if (failures === 1) log.debug({ proxy: name, err: error }, 'the counts of a proxy could not be read');
      const pause = failures < 3 ? 0 : backoffMs(failures - 3, { baseMs: 500, maxMs: MOST_PAUSE_MS });
      this.#troubles.set(name, { failures, until: this.#now() + pause });
      return false;
    }
  }

  /** A proxy has no traffic before it first connects; one that ran for long before it came may have been another agent's. */
  #beginningOf(uptime: number, connectedAt: string): Beginning {
    const connected = (this.#now() - Date.parse(connectedAt)) / 1_000;
    return uptime <= connected + FRESH_SECONDS ? 'count' : 'skip';
  }

  #tell(read: number): void {
    const { bus, cluster, replica, epoch, signer, ledger } = this.#parts;
    const changed = ledger.takeChanged();
    for (const key of changed) this.#recent.set(key, REPEATS);
    // The ledger's own rows go on changing.
    this.#past.note(performance.now(), new Map([...changed].map((key) => [key, [...(ledger.totals.get(key) ?? [])]])));
    if (!bus.connected) return;
    const head = { from: cluster, to: HUB, key: 'traffic', epoch, revision: this.#parts.nextRevision() };
    const { instance, began } = ledger;
    const age = Math.max(Math.round(this.#now() - began), 0);
    const body: TrafficReport = { instance, age, proxies: read, missing: this.#troubles.size, series: this.#due() };
    const past = this.#takePast();
    if (past !== undefined) body.past = past;
    for (const message of sealParts(head, body, signer)) bus.publish(trafficSubject(cluster, replica), message);
  }

  #takePast(): PastReport[] | undefined {
    const since = this.#askedSince;
    if (since === undefined) return undefined;
    this.#askedSince = undefined;
    const now = performance.now();
    return this.#past.since(since).map(({ at, series }) => ({
      ago: Math.round(now - at),
      series: [...series].map(([key, counts]) => seriesOf(key, 0, counts)),
    }));
  }

  /** What changed lately, what is in progress, and a part of everything else. */
  #due(): TrafficSeries[] {
    this.#turn = (this.#turn + 1) % TURNS;
    const { totals } = this.#parts.ledger;
    const due: TrafficSeries[] = [];
    let place = 0;
    for (const key of new Set([...totals.keys(), ...this.#inFlight.keys()])) {
      const isTurn = place++ % TURNS === this.#turn;
      const repeats = this.#recent.get(key) ?? 0;
      if (repeats > 1) this.#recent.set(key, repeats - 1);
      else this.#recent.delete(key);
      if (isTurn || repeats > 0 || this.#inFlight.has(key)) due.push(seriesOf(key, this.#inFlight.get(key) ?? 0, totals.get(key) ?? []));
    }
    return due;
  }
}

/** What counts of a proxy are kept under. */
export function proxyKey({ role, address, proxy }: { readonly role: string; readonly address: string; readonly proxy: string }): string {
  return `${role}:${address}:${proxy}`;
}

function seriesOf(key: string, active: number, counts: readonly number[]): TrafficSeries {
  const [service = '', cluster = '', region = '', zone = '', version = ''] = key.split('|');
  const last = counts.findLastIndex((count) => count > 0);
  return [[service, cluster, region, zone, version], active, counts.slice(0, last + 1)];
}
