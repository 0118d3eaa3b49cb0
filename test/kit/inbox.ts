/** What a scripted client received and nobody took yet. */

const DEADLINE_MS = 10_000;

/** Responses in their order, for whoever asks. */
export class Inbox<Response> {
  readonly #waiting: Response[] = [];
  #ended: string | undefined;
  #wake: (() => void) | undefined;

  put(response: Response): void {
    this.#waiting.push(response);
    this.#wake?.();
  }

  end(reason: string): void {
    this.#ended = reason;
    this.#wake?.();
  }

  /** The next one; fails when the stream ends or 10 s pass first. */
  async take(): Promise<Response> {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) return next;
      if (this.#ended !== undefined) throw new Error(this.#ended);
      if (Date.now() >= deadline) throw new Error('no response within 10 s');
      await this.#arrival(deadline - Date.now());
    }
  }

  #arrival(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
