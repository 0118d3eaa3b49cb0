/** What a scripted client received and nobody took yet. */

const DEADLINE_MS = 30_000;

/** Which one is taken, and how long it may take to come. */
export interface Wish<Response> {
  readonly matches?: (response: Response) => boolean;
  /** In words, for the error. */
  readonly what?: string;
  readonly withinMs?: number;
}

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

  /** Why nothing comes any more. */
  get ended(): string | undefined {
    return this.#ended;
  }

  /** The next one that matches; fails when the stream ends or the time, 10 s, passes first. */
  async take({ matches = () => true, what = 'response', withinMs = DEADLINE_MS }: Wish<Response> = {}): Promise<Response> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const place = this.#waiting.findIndex(matches);
      if (place >= 0) return this.#waiting.splice(place, 1)[0] as Response;
      if (this.#ended !== undefined) throw new Error(this.#ended);
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`no ${what} within ${withinMs / 1_000} s`);
      await this.#arrival(left);
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
