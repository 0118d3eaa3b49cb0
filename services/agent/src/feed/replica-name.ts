import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { AppError } from '@hawser/runtime/app-error.ts';
import { readIfThere } from '@hawser/runtime/durable-file.ts';
import { createExclusively } from '../trust/exclusive-file.ts';

/** The name of one of a cluster's agents, made once and kept in its own folder: a restart is the same replica. */
export async function replicaName(agentDir: string): Promise<string> {
  const path = join(agentDir, 'replica');
  const known = await readIfThere(path);
  if (known === undefined) {
    await createExclusively(path, randomBytes(6).toString('hex'));
    return replicaName(agentDir);
  }
  if (!/^[0-9a-f]{12}$/.test(known)) throw new AppError('state-broken', `${path} does not hold the name of a replica: remove it`);
  return known;
}
