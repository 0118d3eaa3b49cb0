/** The public halves of the keys that all replicas of a hub share, as the database knows them since the first start. */
import { AppError } from '@hawser/runtime/app-error.ts';
import type { Database } from '../db/database.ts';
import { hubIdentity } from '../db/schema.ts';

/** What a hub is known by: its document-signing public key, and the public key of its account on NATS. */
export interface HubIdentity {
  readonly signingKey: string;
  readonly natsAccount: string;
}

/** The first hub of a database decides. Throws `keys-differ` when this one's keys are others. */
export async function requireSharedKeys(database: Database, own: HubIdentity, keysDir: string): Promise<void> {
  const known = await database.transaction(async (tx) => {
    await tx
      .insert(hubIdentity)
      .values({ singleton: true, ...own })
      .onConflictDoNothing();
    return (await tx.select().from(hubIdentity))[0];
  });
  if (known?.signingKey === own.signingKey && known.natsAccount === own.natsAccount) return;
  throw new AppError(
    'keys-differ',
    `the keys in ${keysDir} are not those of this database's hub: copy the keys folder of the hub that ran before, or of another replica, and name it with --keys-dir; if it is lost for good, DELETE FROM hub_identity makes these keys the hub's, and every cluster must join again`,
  );
}
