/** Many policies in one request: a folder of a thousand is written in one transaction of the hub, not in two thousand requests. */
import type { ApplyAnswer } from '@hawser/wire/hub-api.ts';
import type { HubClient } from '../client/hub-client.ts';
import { HubRefusal, refusalOf } from '../client/hub-refusal.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { Applied, WriteOptions } from './apply-one.ts';

/** Fewer go one by one. */
const LEAST = 8;
/** Of one request: well below what a hub reads. */
const MOST = 1_000;
const MOST_CHARACTERS = 4_000_000;
/** No hub of this release (404), a token without the right to all namespaces (403), or a body that is refused as a whole: one by one. */
const ONE_BY_ONE: ReadonlySet<number> = new Set([400, 403, 404, 405, 413]);

/** What became of one: written, or why not. */
export type AppliedOrRefused = Applied | HubRefusal;

/** Manifests that one request takes, from the start of the list on; empty when the first is to be written by itself. */
export function takenTogether(manifests: readonly Manifest[]): readonly Manifest[] {
  const batch: Manifest[] = [];
  let characters = 0;
  for (const manifest of manifests.slice(0, MOST)) {
    characters += JSON.stringify(manifest.resource).length;
    if (!manifest.kind.policy || !manifest.kind.namespaced || characters > MOST_CHARACTERS) break;
    batch.push(manifest);
  }
  return batch.length < LEAST ? [] : batch;
}

/** Writes them, in order; undefined when the hub does not take them together. Rejects as `HubClient.send` does. */
export async function applyMany(
  hub: HubClient,
  manifests: readonly Manifest[],
  { dryRun, allowUnresolved }: WriteOptions,
): Promise<readonly AppliedOrRefused[] | undefined> {
  const body = { resources: manifests.map(({ resource }) => resource), dryRun, allowUnresolved };
  try {
    const { results } = (await hub.send({ method: 'POST', path: '/hawser/v1/apply', body })) as ApplyAnswer;
    return results.map(({ action, revision, error, warnings = [] }) => {
      if (error !== undefined || action === 'refused') return refusalOf(error?.code ?? 0, error, '');
      const found = warnings.map(({ code, field, message, fix }) => ({ code, field, message: `${message}; ${fix}` }));
      return { action, revision, ...(found.length === 0 ? {} : { warnings: found }) };
    });
  } catch (error) {
    if (error instanceof HubRefusal && ONE_BY_ONE.has(error.status)) return undefined;
    throw error;
  }
}
