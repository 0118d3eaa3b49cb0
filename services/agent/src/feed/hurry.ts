/** Ends a pause before its time: somebody learned that there is no time to wait for. */
export class Hurry {
  #controller = new AbortController();

  /** Ends the pause under way, or the next one. */
  now(): void {
    this.#controller.abort();
  }

  /** Aborted when there is hurry. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The hurry was heeded: pauses are as long as they should be again. */
  heeded(): void {
    this.#controller = new AbortController();
  }
}
