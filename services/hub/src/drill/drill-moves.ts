/** PURE: which requests would have to go elsewhere, and who would answer them, as agents divide them. */
import type { MeasuredTraffic } from '@hawser/model/measured-traffic.ts';
import type { MovedRequests } from '@hawser/wire/drill-views.ts';
import type { WhoServesAnswer } from '@hawser/wire/hub-api.ts';
import { sharesOf } from '../drain/headroom.ts';

/** Requests/s as they are measured: attempts, which is what destinations bear. */
export interface MeasuredRates {
  /** Of all services, from everywhere to everywhere. */
  readonly all: number;
  /** By service, source cluster and destination cluster. */
  at(service: string, source: string, cluster: string): number;
}

/** One service, before and after. */
export interface ServiceAnswers {
  /** `NAMESPACE/NAME`. */
  readonly service: string;
  readonly before: WhoServesAnswer['answers'];
  readonly after: WhoServesAnswer['answers'];
}

/** What is looked at. */
export interface MovesQuestion {
  readonly answers: ServiceAnswers;
  /** Undefined while they are not measured. */
  readonly rates: MeasuredRates | undefined;
  /** Clusters that requests would have to leave. */
  readonly leaving: ReadonlySet<string>;
  readonly regionOf: (cluster: string) => string;
  /** Of the requests there, the part that would move, 0 to 1. Default: 1. */
  readonly part?: number;
}

/** As long as the forecast of drains looks at load, milliseconds. */
const LOAD_MS = 30_000;

/** The rates of the last seconds that are whole; a text says why they are not known. */
export function measuredRates(traffic: MeasuredTraffic | undefined): MeasuredRates | string {
  if (traffic === undefined) return 'this hub does not measure traffic';
  const to = traffic.knownUntil();
  const span = { from: to - LOAD_MS, to };
  const { sources } = traffic.window({ ...span, services: [] });
  const silent = sources.filter(({ seconds }) => seconds === 0).map(({ cluster }) => cluster);
  if (sources.length === 0) return 'no cluster has accounted for its requests';
  if (silent.length > 0) return `nothing is known of the requests of ${silent.join(', ')}`;
  const rates = new Map<string, number>();
  let all = 0;
  for (const { source, service, destination, sums } of traffic.groups(span, ['source', 'service', 'cluster'])) {
    const seconds = sums.sources.find(({ cluster }) => cluster === source)?.seconds ?? sums.seconds;
    const perSecond = sums.attempts / Math.max(1, seconds);
    const key = rateKey(service, source, destination.cluster);
    rates.set(key, (rates.get(key) ?? 0) + perSecond);
    all += perSecond;
  }
  return { all, at: (service, source, cluster) => rates.get(rateKey(service, source, cluster)) ?? 0 };
}

/** Of each source cluster that has requests there, those that would move; where nothing is measured, of each that is sent there. */
export function movesOf({
  answers: { service, before, after },
  rates,
  leaving,
  regionOf,
  part = 1,
}: MovesQuestion): readonly MovedRequests[] {
  return before.flatMap(({ from: source, localities }): MovedRequests[] => {
    const was = sharesOf(localities);
    const requests =
      rates === undefined ? undefined : part * [...leaving].reduce((sum, cluster) => sum + rates.at(service, source, cluster), 0);
    const isMoved = requests === undefined ? [...was.keys()].some((cluster) => leaving.has(cluster)) : requests > 0;
    if (!isMoved) return [];
    const would = sharesOf(after.find(({ from }) => from === source)?.localities ?? []);
    const to = divided(was, would, leaving).map(([cluster, share]) => ({
      ...{ cluster, region: regionOf(cluster), share },
      ...(requests === undefined ? {} : { requests: requests * share }),
    }));
    return [{ source, ...(requests === undefined ? {} : { requests }), to }];
  });
}

/** What moves goes to those that get more than before. */
function divided(
  was: ReadonlyMap<string, number>,
  would: ReadonlyMap<string, number>,
  leaving: ReadonlySet<string>,
): readonly (readonly [cluster: string, share: number])[] {
  const able = [...would].filter(([cluster]) => !leaving.has(cluster));
  const gains = able.flatMap(([cluster, share]) =>
    share > (was.get(cluster) ?? 0) ? [[cluster, share - (was.get(cluster) ?? 0)] as const] : [],
  );
  const takers = gains.length > 0 ? gains : able;
  const total = takers.reduce((sum, [, share]) => sum + share, 0);
  return takers.map(([cluster, share]) => [cluster, share / total] as const).sort(([, a], [, b]) => b - a);
}

function rateKey(service: string, source: string, cluster: string): string {
  return `${service} ${source} ${cluster}`;
}
