import { describe, expect, it } from 'vitest';
import { counter, createRegistry, gauges, histogram, Registry } from './metrics.ts';
import { METRICS, type MetricSpec, metricsPage } from './metrics-catalogue.ts';

const ALL = Object.entries<MetricSpec>(METRICS);

describe('the catalogue of metrics', () => {
  it.each(ALL)("%s follows Prometheus' naming", (name, { type, help, labels, buckets }) => {
    expect(name).toMatch(/^(hub|agent)(_[a-z][a-z0-9]*)+$/);
    expect(name).not.toMatch(
      /_(ms|millis|milliseconds|minutes|hours|kib|mib|kb|mb|percent|ratio_percent|gauge|counter|histogram|count|sum|bucket|info)(_|$)/,
    );
    expect(name.endsWith('_total')).toBe(type === 'counter');
    if (type === 'histogram') expect(name).toMatch(/_(seconds|bytes)$/);
    expect(buckets !== undefined).toBe(type === 'histogram');
    expect([...(buckets ?? [])]).toEqual([...(buckets ?? [])].sort((a, b) => a - b));
    expect(help).toMatch(/^[A-Z0-9].*[^.\s]$/);
    for (const label of labels) {
      expect(label).toMatch(/^[a-z][a-z_]*$/);
      // What has no bound (a proxy, an endpoint, a trace) is for logs; `le` and `quantile` are Prometheus' own.
      expect(['le', 'quantile', 'job', 'instance', 'proxy', 'endpoint', 'address', 'trace_id', 'name']).not.toContain(label);
    }
  });

  it('is the page that people read', async () => {
    await expect(metricsPage()).toMatchFileSnapshot('../../../docs/metrics.md');
  });
});

describe('registering', () => {
  it('gives name, help, labels and bounds from the catalogue', async () => {
    const registry = new Registry();
    counter(registry, 'agent_xds_pushes_total').inc({ type: 'EDS' });
    histogram(registry, 'hub_convergence_seconds').observe(0.02);
    const text = await registry.metrics();
    expect(text).toContain('# HELP agent_xds_pushes_total Responses sent to proxies, by xDS type\n');
    expect(text).toContain('agent_xds_pushes_total{type="EDS"} 1\n');
    expect(text).toContain('hub_convergence_seconds_bucket{le="0.025"} 1\n');
  });

  it('forgets samples that are not given any more', async () => {
    const registry = new Registry();
    let states: readonly (readonly [{ readonly state: string }, number])[] = [[{ state: 'KNOWN' }, 2]];
    gauges(registry, 'hub_clusters', () => states);
    expect(await registry.metrics()).toContain('hub_clusters{state="KNOWN"} 2\n');
    states = [[{ state: 'STALE' }, 1]];
    const text = await registry.metrics();
    expect(text).not.toContain('KNOWN');
    expect(text).toContain('hub_clusters{state="STALE"} 1\n');
  });

  it('shows how long the event loop was held', async () => {
    const registry = createRegistry('hub');
    const lag = async (): Promise<number> => Number(/^hub_event_loop_lag_seconds (\S+)$/m.exec(await registry.metrics())?.[1]);
    await expect
      .poll(
        async () => {
          for (const end = performance.now() + 300; performance.now() < end; );
          await new Promise((resolve) => setTimeout(resolve, 50));
          return lag();
        },
        { timeout: 20_000, interval: 1 },
      )
      .toBeGreaterThan(0.1);
  });
});
