/** Lists of names that requests repeat: compared as bytes with those before, and only read when they differ. */
import { fieldAt } from './request-fields.ts';

/** Names that stand in a request one after the other. */
export interface NameRun {
  /** All of their fields. */
  readonly bytes: Buffer;
  readonly names: readonly string[];
}

/** The runs of one field that were seen last. */
export class NameRuns {
  readonly #tag: number;
  readonly #most: number;
  readonly #runs: NameRun[] = [];

  /** `tag` is the field's, of one byte; `most` how many runs are remembered. */
  constructor(tag: number, most: number) {
    this.#tag = tag;
    this.#most = most;
  }

  /** The run that starts here, if it was seen before. */
  find(bytes: Buffer, start: number): NameRun | undefined {
    return this.#runs.find((run) => {
      const end = start + run.bytes.length;
      const same = end <= bytes.length && run.bytes.compare(bytes, start, end) === 0;
      return same && (end === bytes.length || bytes[end] !== this.#tag);
    });
  }

  /** Reads the run that starts here, and remembers it. */
  read(bytes: Buffer, start: number): NameRun {
    const names: string[] = [];
    let at = start;
    while (at < bytes.length && bytes[at] === this.#tag) {
      const field = fieldAt(bytes, { value: this.#tag, end: at + 1 });
      names.push(field.content?.toString('utf8') ?? '');
      at = field.end;
    }
    const run = { bytes: Buffer.from(bytes.subarray(start, at)), names };
    this.#runs.unshift(run);
    if (this.#runs.length > this.#most) this.#runs.pop();
    return run;
  }
}
