/**
 * Health of the local endpoints: every application port, and the sidecar's once it has been seen up, every second. Two
 * failures in a row make an endpoint UNHEALTHY, one success makes it HEALTHY again; a new one is healthy until found otherwise.
 * A new one whose sidecar is connected is the exception: that sidecar learns of it in this very moment, so it takes no traffic
 * until its inbound port opens, some milliseconds later. Clients that came earlier would be refused, and eject it for 15 s.
 */

import type { EndpointHealth } from '@hawser/model/endpoint-shard.ts';
import { PORTS } from '@hawser/model/ports.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { CheckTarget } from './health-check.ts';
import { httpProbe, type ProbeResult, tcpProbe } from './probe.ts';

/** How endpoints are checked. */
export interface EndpointChecksOptions {
  /** Health of some endpoint changed. */
  readonly onChange: () => void;
  /** A whole round is over: what was found twice is found once more. */
  readonly onRound: () => void;
  /** `ADDRESS|PORT` that were failing when the last good state was saved. */
  readonly failing?: readonly string[];
  /** Whether the sidecar at this address is connected; it is then waited for. */
  readonly hasSidecar?: (address: string) => boolean;
  readonly periodMs?: number;
  readonly sidecarPort?: number;
  readonly probe?: (target: CheckTarget) => Promise<ProbeResult>;
}

interface Checked {
  readonly target: CheckTarget;
  failures: number;
  failing: boolean;
  /** For a sidecar: counts only once it has been up. */
  counts: boolean;
}

const PERIOD_MS = 1000;
const FAILURES = 2;
const CONCURRENCY = 64;
/** With more targets the period is stretched, so that checking stays a small part of one core's work. */
const MAX_PER_SECOND = 500;
/** When a port that is about to open is looked at, each counted from the look before. Then the rounds go on. */
const OPENING_MS = [5, 10, 20, 40, 80, 160, 320];
/** Ports waited for at once; further ones are left to the next round. */
const MAX_OPENING = 256;
/** A round that starts this late says more about this process than about others: it is left out. */
const LATE_MS = 500;

/** Checks what it is told to. */
export class EndpointChecks {
  readonly #options: EndpointChecksOptions;
  readonly #failingAtStart: Set<string>;
  #checked = new Map<string, Checked>();
  /** As given last; the same list again is no change. */
  #targets: readonly CheckTarget[] | undefined;
  #timer: NodeJS.Timeout | undefined;
  #opening = 0;
  #stopped = false;

  constructor(options: EndpointChecksOptions) {
    this.#options = options;
    this.#failingAtStart = new Set(options.failing);
  }

  /** Replaces what is checked; what stays keeps its health. Returns whether a new one is not healthy yet. */
  setTargets(targets: readonly CheckTarget[]): boolean {
    if (targets === this.#targets) return false;
    this.#targets = targets;
    const { sidecarPort = PORTS.inbound } = this.#options;
    const next = new Map<string, Checked>();
    for (const target of targets) {
      this.#keep(next, target, true);
      if (target.bare !== true) this.#keep(next, { address: target.address, port: sidecarPort, check: { kind: 'tcp' } }, false);
    }
    const opening = [...next].filter(([key, { target }]) => !this.#checked.has(key) && this.#isOpening(target, sidecarPort));
    this.#checked = next;
    for (const [, checked] of opening) {
      checked.failing = true;
      checked.counts = true;
      void this.#watchOpening(checked);
    }
    return opening.length > 0;
  }

  /** What the checks have against the endpoint, if anything. */
  healthOf(address: string, ports: readonly number[]): EndpointHealth | undefined {
    const { sidecarPort = PORTS.inbound } = this.#options;
    return [...ports, sidecarPort].some((port) => this.#checked.get(`${address}|${port}`)?.failing === true) ? 'UNHEALTHY' : undefined;
  }

  /** `ADDRESS|PORT` of what fails, sorted; for the last good state. */
  failing(): string[] {
    return [...this.#checked].flatMap(([key, checked]) => (checked.failing ? [key] : [])).sort();
  }

  /** Begins with a round at once. */
  start(): void {
    this.#schedule(0);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Checks every target once; for the timer, and for tests. */
  async round(): Promise<void> {
    const queue = [...this.#checked.values()];
    const worker = async (): Promise<void> => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) this.#judge(next, await this.#probe(next.target));
    };
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, queue.length) }, worker));
    if (!this.#stopped) this.#options.onRound();
  }

  #keep(next: Map<string, Checked>, target: CheckTarget, counts: boolean): void {
    const key = `${target.address}|${target.port}`;
    if (next.has(key)) return;
    const before = this.#checked.get(key);
    const failing = before?.failing ?? this.#failingAtStart.delete(key);
    next.set(key, { target, failing, failures: before?.failures ?? 0, counts: counts || failing || before?.counts === true });
  }

  #isOpening({ address, port }: CheckTarget, sidecarPort: number): boolean {
    return port === sidecarPort && this.#timer !== undefined && this.#options.hasSidecar?.(address) === true;
  }

  async #watchOpening(checked: Checked): Promise<void> {
    if (this.#opening >= MAX_OPENING) return;
    this.#opening += 1;
    for (const delayMs of OPENING_MS) {
      await sleep(delayMs);
      if (this.#stopped || !checked.failing) break;
      if ((await this.#probe(checked.target)) === 'up') this.#judge(checked, 'up');
    }
    this.#opening -= 1;
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    const due = performance.now() + delayMs;
    this.#timer = setTimeout(() => void this.#run(due), delayMs).unref();
  }

  async #run(due: number): Promise<void> {
    const started = performance.now();
    const { periodMs = PERIOD_MS } = this.#options;
    const period = Math.max(periodMs, (this.#checked.size / MAX_PER_SECOND) * 1000);
    if (started - due < LATE_MS) await this.round();
    this.#schedule(Math.max(0, period - (performance.now() - started)));
  }

  #probe(target: CheckTarget): Promise<ProbeResult> {
    if (this.#options.probe !== undefined) return this.#options.probe(target);
    const { address, port, check } = target;
    return check.kind === 'http' ? httpProbe(address, port, check.path) : tcpProbe(address, port);
  }

  #judge(checked: Checked, result: ProbeResult): void {
    if (result === 'unknown') return;
    if (result === 'up') checked.counts = true;
    checked.failures = result === 'up' ? 0 : checked.failures + 1;
    const failing = checked.counts && (result === 'up' ? false : checked.failing || checked.failures >= FAILURES);
    if (failing === checked.failing) return;
    checked.failing = failing;
    if (!this.#stopped) this.#options.onChange();
  }
}
