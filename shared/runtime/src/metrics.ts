/** The one door to prom-client. What is measured is in the catalogue; nothing else can be registered through here. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type LabelOf, METRICS, type MetricName, type MetricSpec, type NameOf } from './metrics-catalogue.ts';

export type { Counter, Gauge, Histogram } from 'prom-client';
export { Registry };

/** Labels of one sample and its value. */
export type Sample<Label extends string> = readonly [labels: Readonly<Record<Label, string>>, value: number];

const NANOSECONDS = 1e9;
const LAG_RESOLUTION_MS = 10;

/** A registry with the process's own metrics (CPU, memory, event-loop lag); `part` adds the lag under its own name. */
export function createRegistry(part?: 'hub' | 'agent'): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  if (part === undefined) return registry;
  const delay = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  delay.enable();
  gauge(registry, `${part}_event_loop_lag_seconds`, () => {
    const seconds = delay.percentile(99) / NANOSECONDS;
    delay.reset();
    return Math.max(0, seconds - LAG_RESOLUTION_MS / 1000);
  });
  return registry;
}

/** A counter that is raised as things happen. */
export function counter<Name extends NameOf<'counter'>>(registry: Registry, name: Name): Counter<LabelOf<Name>> {
  return new Counter(settings(registry, name));
}

/** A counter over a count that somebody else keeps, read when it is asked for. */
export function counted(registry: Registry, name: NameOf<'counter'>, read: () => number): void {
  new Counter({
    ...settings(registry, name),
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}

/** A gauge without labels: set as things happen, or read when it is asked for. */
export function gauge<Name extends NameOf<'gauge'>>(registry: Registry, name: Name, read?: () => number): Gauge<LabelOf<Name>> {
  if (read === undefined) return new Gauge(settings(registry, name));
  return new Gauge({
    ...settings(registry, name),
    collect() {
      this.set(read());
    },
  });
}

/** A gauge with labels, read when it is asked for; samples that are not given any more are gone. */
export function gauges<Name extends NameOf<'gauge'>>(registry: Registry, name: Name, read: () => Iterable<Sample<LabelOf<Name>>>): void {
  new Gauge<string>({
    ...settings(registry, name),
    collect() {
      this.reset();
      for (const [labels, value] of read()) this.inc(labels, value);
    },
  });
}

/** A histogram over the catalogue's bounds. */
export function histogram<Name extends NameOf<'histogram'>>(registry: Registry, name: Name): Histogram<LabelOf<Name>> {
  return new Histogram(settings(registry, name));
}

function settings<Name extends MetricName>(registry: Registry, name: Name) {
  const { help, labels, buckets }: MetricSpec = METRICS[name];
  const labelNames = [...labels] as LabelOf<Name>[];
  return { name, help, labelNames, registers: [registry], ...(buckets === undefined ? {} : { buckets: [...buckets] }) };
}
