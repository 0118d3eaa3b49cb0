/** Metrics of drains, by the replica that leads. */
import { gauges, type Registry } from '@hawser/runtime/metrics.ts';

/** One drain under way. */
export interface AttendedDrain {
  readonly name: string;
  readonly phase: string;
}

/** What the leader attends to; nothing while it does not lead. */
export class DrainAccounts {
  #attended: readonly AttendedDrain[] = [];
  /** Unix milliseconds, by name. */
  readonly #expiries = new Map<string, number>();

  get attended(): readonly AttendedDrain[] {
    return this.#attended;
  }

  /** Takes all that are under way. */
  attend(attended: readonly AttendedDrain[]): void {
    this.#attended = attended;
    const names = new Set(attended.map(({ name }) => name));
    for (const name of this.#expiries.keys()) if (!names.has(name)) this.#expiries.delete(name);
  }

  /** Takes when one expires. */
  seen(name: string, expiresAt: number): void {
    this.#expiries.set(name, expiresAt);
  }

  /** When one expires, Unix milliseconds. */
  expiryOf(name: string): number | undefined {
    return this.#expiries.get(name);
  }
}

/** Registers them. */
export function registerDrainMetrics(registry: Registry, drains: DrainAccounts): void {
  gauges(registry, 'hub_drain_active', () => drains.attended.map(({ name, phase }) => [{ drain: name, phase }, 1]));
  gauges(registry, 'hub_drain_expiry_timestamp_seconds', () =>
    drains.attended.flatMap(({ name }) => {
      const at = drains.expiryOf(name);
      return at === undefined ? [] : [[{ drain: name }, at / 1_000] as const];
    }),
  );
}
