/** PURE: whether destinations can carry what would be moved to them. */
import type { DestinationForecast } from '@hawser/wire/drain.ts';
import type { Column } from './table.ts';

/** Requests in a second, as a table shows them. */
export const rate = (perSecond: number | undefined): string => (perSecond === undefined ? '?' : perSecond.toFixed(perSecond >= 10 ? 0 : 1));

/** What destinations would have to carry, and whether they can. */
export const HEADROOM: readonly Column<DestinationForecast>[] = [
  { title: 'SERVICE', cell: ({ service }) => service },
  { title: 'DESTINATION', cell: ({ cluster }) => cluster },
  { title: 'NOW/S', cell: ({ requestsNow }) => rate(requestsNow) },
  { title: 'AFTER/S', cell: ({ requestsAfter }) => rate(requestsAfter) },
  { title: 'CAPACITY/S', cell: ({ capacity }) => rate(capacity) },
  { title: 'HEADROOM', cell: ({ verdict }) => verdict },
];
