import type { RolloutAnswer } from '@hawser/wire/hub-api.ts';
import { type TextOutput, terminal } from '../output/terminal.ts';

/** A line on stderr that is rewritten while proxies answer; silent when stderr is not a terminal. */
export interface ProgressLine {
  readonly lively: boolean;
  readonly show: (answer: RolloutAnswer) => void;
  /** Clears the line. */
  end(): void;
}

/** Makes the line for a stream. */
export function progressLine(stream: TextOutput = terminal().stderr): ProgressLine {
  const lively = stream.isTTY === true;
  let shown = false;
  const show = (answer: RolloutAnswer): void => {
    if (!lively || answer.complete) return;
    const waiting = answer.waitingFor.length === 0 ? '' : `, waiting for ${answer.waitingFor.join(', ')}`;
    stream.write(`\r\u001b[Krevision ${answer.revision}: ${answer.proxies.acked} of ${answer.proxies.expected} proxies${waiting}`);
    shown = true;
  };
  return { lively, show, end: () => void (shown && stream.write('\r\u001b[K')) };
}
