/** What the demo says while it works: one line per thing done, with the time; on a terminal, a line that moves. */
import { styleText } from 'node:util';

/** Says what happens. */
export interface Narrator {
  /** A heading: a new part begins. */
  part(title: string): void;
  /** Something is done. */
  done(text: string): void;
  /** Something goes on; on a terminal the next line replaces it, elsewhere it is left out. */
  progress(text: string): void;
  /** Something is wrong, or worth a second look. */
  warn(text: string): void;
  /** Text as it is. */
  plain(text: string): void;
}

/** A narrator on a stream; `started` is what times are counted from (`performance.now()`). */
export function createNarrator(out: NodeJS.WriteStream, started = performance.now()): Narrator {
  const terminal = out.isTTY === true;
  const paint = (format: Parameters<typeof styleText>[0], text: string): string => (terminal ? styleText(format, text) : text);
  const clear = terminal ? '\r\x1b[K' : '';
  const time = (): string => paint('dim', `${((performance.now() - started) / 1_000).toFixed(1).padStart(6)}s`);
  return {
    part: (title) => void out.write(`${clear}\n${paint('bold', title)}\n`),
    done: (text) => void out.write(`${clear}${time()}  ${paint('green', '✓')} ${text}\n`),
    progress: (text) => {
      if (terminal) out.write(`${clear}${time()}  ${paint('cyan', '…')} ${text.slice(0, Math.max(20, (out.columns ?? 80) - 12))}`);
    },
    warn: (text) => void out.write(`${clear}${time()}  ${paint('yellow', '!')} ${text}\n`),
    plain: (text) => void out.write(`${clear}${text}\n`),
  };
}
