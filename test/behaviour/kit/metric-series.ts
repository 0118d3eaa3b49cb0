/** Metrics of an Envoy as Prometheus reads them. */
import { until } from '../../datapath/kit/until.ts';
import type { TestEnvoy } from '../../kit/envoy.ts';

/** One time series of a metric. */
export type Series = { readonly labels: Readonly<Record<string, string>>; readonly value: number };

/** Series of a metric, as Prometheus reads them. */
export async function series(envoy: TestEnvoy, name: string): Promise<Series[]> {
  const lines = (await envoy.admin('/stats/prometheus')).split('\n').filter((line) => line.startsWith(`${name}{`));
  return lines.map((line) => {
    const labels = [...line.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value] as const);
    return { labels: Object.fromEntries(labels), value: Number(line.slice(line.lastIndexOf(' ') + 1)) };
  });
}

/** The series that has certain labels, once it is there. */
export async function seen(envoy: TestEnvoy, name: string, wanted: Readonly<Record<string, string>>): Promise<Series> {
  let found: Series | undefined;
  await until(
    async () => {
      const all = await series(envoy, name);
      found = all.find(({ labels }) => Object.entries(wanted).every(([key, value]) => labels[key] === value));
      return found !== undefined;
    },
    () => `no ${name} with ${JSON.stringify(wanted)}`,
  );
  if (found === undefined) throw new Error('it was there');
  return found;
}
