/** Follows resources as they change: list, watch from there, resume after every interruption, list again when the hub says so. */
import type { KindDescriptor } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import type { HubClient } from '../client/hub-client.ts';
import { HubRefusal } from '../client/hub-refusal.ts';
import { resourcePath } from '../client/resource-path.ts';
import { note } from '../output/print.ts';
import { listWithRevision } from './list-resources.ts';

/** What to follow. */
export interface FollowQuery {
  readonly kind: KindDescriptor;
  /** Undefined: all of them. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly selector?: string | undefined;
  /** What is known already, and not told again. */
  readonly seen?: readonly Resource[];
}

/** One change. */
export interface ResourceChange {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly resource: Resource;
}

interface WatchEvent {
  readonly type: ResourceChange['type'] | 'BOOKMARK' | 'ERROR';
  readonly object: Resource & { readonly code?: number; readonly reason?: string; readonly message?: string };
}

const AGAIN = { baseMs: 200, maxMs: 5000 };
/** How often what cannot be watched is listed. */
const POLL_MS = 1000;

/** Every change until the signal is aborted. Throws when the hub refuses for good; survives its restarts. */
export async function* followResources(hub: HubClient, query: FollowQuery, signal: AbortSignal): AsyncGenerator<ResourceChange> {
  const known = new Map((query.seen ?? []).map((resource) => [keyOf(resource), resource]));
  let revision: string | undefined;
  for (let failures = 0; !signal.aborted; ) {
    try {
      if (revision === undefined) {
        const listed = await listWithRevision(hub, query, query.selector);
        yield* differences(known, listed.items);
        revision = listed.revision;
      }
      for await (const event of hub.lines(watchPath(query, revision), signal) as AsyncGenerator<WatchEvent>) {
        failures = 0;
        if (event.type === 'ERROR') {
          revision = event.object.code === 410 ? undefined : revision;
          break;
        }
        revision = event.object.metadata.resourceVersion ?? revision;
        if (event.type !== 'BOOKMARK') yield* taken(known, { type: event.type, resource: event.object });
      }
    } catch (error) {
      if (signal.aborted) return;
      const isExpired = error instanceof HubRefusal && [405, 410].includes(error.status);
      if (isExpired) revision = undefined;
      else if (isFinal(error)) throw error;
      else if (failures === 0) note(`${messageOf(error)}; trying again`);
      if (isExpired && error.status === 405) await sleep(POLL_MS, signal);
      failures += 1;
    }
    if (failures > 0) await sleep(backoffMs(failures, AGAIN), signal);
  }
}

function watchPath({ kind, namespace, name, selector }: FollowQuery, revision: string): string {
  const query = new URLSearchParams({ watch: 'true', resourceVersion: revision, allowWatchBookmarks: 'true' });
  if (selector !== undefined) query.set('labelSelector', selector);
  if (name !== undefined) query.set('fieldSelector', `metadata.name=${name}`);
  return `${resourcePath({ kind, namespace })}?${query}`;
}

/** Refused for what was asked, or for who asked: to ask again would not help. */
function isFinal(error: unknown): boolean {
  if (error instanceof HubRefusal) return error.status < 500 && error.status !== 429;
  return !(error instanceof AppError) || error.code === 'hub-answer';
}

/** What a list says that was not known. */
function* differences(known: Map<string, Resource>, items: readonly Resource[]): Generator<ResourceChange> {
  const now = new Set(items.map(keyOf));
  for (const [key, resource] of [...known]) if (!now.has(key)) yield* taken(known, { type: 'DELETED', resource });
  for (const resource of items) yield* taken(known, { type: known.has(keyOf(resource)) ? 'MODIFIED' : 'ADDED', resource });
}

/** A change, unless it says what is known. What has another uid is another resource: the one that was known is gone. */
function* taken(known: Map<string, Resource>, change: ResourceChange): Generator<ResourceChange> {
  const key = keyOf(change.resource);
  const before = known.get(key);
  if (change.type === 'DELETED') {
    if (known.delete(key)) yield change;
    return;
  }
  known.set(key, change.resource);
  if (before !== undefined && before.metadata.uid !== change.resource.metadata.uid) {
    yield { type: 'DELETED', resource: before };
    yield { type: 'ADDED', resource: change.resource };
  } else if (before === undefined || JSON.stringify(before) !== JSON.stringify(change.resource)) yield change;
}

function keyOf({ metadata }: Resource): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
