/** What a benchmark is. */
import type { Bar, FigureBook } from '../../deploy/demo/figures.ts';

/** One benchmark: it starts what it needs, notes its figures, and leaves nothing behind. */
export interface Bench {
  readonly name: string;
  readonly title: string;
  readonly bars: Readonly<Record<string, Bar>>;
  run(book: FigureBook): Promise<void>;
}
