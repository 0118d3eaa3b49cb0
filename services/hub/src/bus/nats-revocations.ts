/** Keeps the hub's own NATS from serving users that the database has revoked. */
import type { RevokedUser } from '@hawser/bus/nats-accounts.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';

/** What the watch works with. */
export interface NatsRevocationsParts {
  readonly read: () => Promise<readonly RevokedUser[]>;
  /** Gives the server its new configuration; it drops the connections of these users. */
  readonly apply: (revoked: readonly RevokedUser[]) => Promise<void>;
  readonly log: Logger;
}

/** Answers how to look again, as after a change of members; looks follow one another, and what failed is made up by the next. */
export function natsRevocations({ read, apply, log }: NatsRevocationsParts): () => void {
  let applied = '[]';
  let last = Promise.resolve();
  const look = async (): Promise<void> => {
    try {
      const revoked = await read();
      const text = JSON.stringify(revoked);
      if (text === applied) return;
      await apply(revoked);
      applied = text;
      log.info({ users: revoked.length }, 'NATS was told whose credentials are void');
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'NATS was not told whose credentials are void');
    }
  };
  return () => {
    last = last.then(look);
  };
}
