/** PURE: the seconds of a run as its operation keeps them, so that whoever leads next knows what was seen before; bounded. */
import type { RunCell, RunSecond } from './run-recovery.ts';

/** Seconds in few characters. JSON. */
export interface KeptSeconds {
  /** `SERVICE SOURCE DESTINATION`, and ` VERSION` where versions are told apart. */
  readonly keys: readonly string[];
  readonly seconds: readonly KeptSecond[];
}

type KeptSecond = readonly [at: number, unknown: readonly string[], cells: readonly KeptCell[]];
type KeptCell = readonly [key: number, requests: number, failed: number, attempts: number];

/** Cells that are kept at most: about a hundred kilobytes. */
const MOST_CELLS = 5_000;

/** Them for the database: beyond the bound the first and the newest ones. */
export function keptSeconds(seconds: readonly RunSecond[], most = MOST_CELLS): KeptSeconds {
  const keys = new Map<string, number>();
  const keyOf = ({ service, source, destination, version }: RunCell): number => {
    const text = [service, source, destination, ...(version === undefined ? [] : [version])].join(' ');
    const known = keys.get(text) ?? keys.size;
    keys.set(text, known);
    return known;
  };
  const rows = bounded(seconds, most).map(
    ({ at, unknown, cells }): KeptSecond => [
      at,
      unknown,
      cells.map((cell): KeptCell => [keyOf(cell), cell.requests, cell.failed, cell.attempts]),
    ],
  );
  return { keys: [...keys.keys()], seconds: rows };
}

/** Them again, in order of time. */
export function secondsKept({ keys, seconds }: KeptSeconds): readonly RunSecond[] {
  return seconds.map(([at, unknown, cells]) => ({
    ...{ at, unknown },
    cells: cells.map(([key, requests, failed, attempts]) => {
      const [service = '', source = '', destination = '', version] = (keys[key] ?? '').split(' ');
      return { ...{ service, source, destination, requests, failed, attempts }, ...(version === undefined ? {} : { version }) };
    }),
  }));
}

/** A run's beginning says how soon callers recovered, its end how it is now. */
function bounded(seconds: readonly RunSecond[], most: number): readonly RunSecond[] {
  const costs = seconds.map(({ cells }) => cells.length + 1);
  if (costs.reduce((total, cost) => total + cost, 0) <= most) return seconds;
  const head = fitting(costs, most / 2);
  const tail = fitting(costs.toReversed(), most / 2);
  return [...seconds.slice(0, head), ...seconds.slice(seconds.length - tail)];
}

/** How many of them fit in. */
function fitting(costs: readonly number[], most: number): number {
  let total = 0;
  const over = costs.findIndex((cost) => {
    total += cost;
    return total > most;
  });
  return over === -1 ? costs.length : over;
}
