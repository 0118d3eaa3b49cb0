/** What was given to a NATS connection and may still lie in its buffer: a server that does not read must not fill the memory. */
import type { NatsConnection } from 'nats';

/** Beyond this, publishing to a server that does not read is refused instead of buffered. */
const MAX_UNFLUSHED_BYTES = 8 * 1024 * 1024;

/** Counts bytes as buffered until a flush that began after them returns. */
export class UnflushedBytes {
  #bytes = 0;
  #flushing = false;

  /** Whether no more may be given. */
  get tooMany(): boolean {
    return this.#bytes > MAX_UNFLUSHED_BYTES;
  }

  /** These bytes go to the connection now. */
  add(bytes: Uint8Array, connection: NatsConnection): void {
    this.#bytes += bytes.length;
    if (this.#flushing || this.#bytes < MAX_UNFLUSHED_BYTES / 8) return;
    this.#flushing = true;
    const covered = this.#bytes;
    void connection
      .flush()
      .then(() => {
        this.#bytes = Math.max(0, this.#bytes - covered);
      })
      .catch(() => {})
      .finally(() => {
        this.#flushing = false;
      });
  }

  /** The connection is another, or gone: nothing of the one before is buffered. */
  reset(): void {
    this.#bytes = 0;
  }
}
