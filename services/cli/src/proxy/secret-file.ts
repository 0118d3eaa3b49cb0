/** Secrets that a running Envoy takes from files (SDS by a path) and takes again when these are replaced, and what they are made of: files that others renew. */
import { renameSync, writeFileSync } from 'node:fs';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { Json } from './bootstrap.ts';

/** PURE: where Envoy finds the secret of this name (envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig). */
export function secretFrom(path: string, name: string): Json {
  return { name, sds_config: { path_config_source: { path }, resource_api_version: 'V3' } };
}

/** PURE: what stands in that file (envoy.service.discovery.v3.DiscoveryResponse with one Secret). */
export function secretResponse(name: string, secret: Json): Json {
  return { resources: [{ '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret', name, ...secret }] };
}

/** Writes the file, 0600, by a rename: Envoy hears of those, and never reads half of it. */
export function writeSecret(path: string, response: Json): void {
  writeFileSync(`${path}.new`, JSON.stringify(response), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** What is followed. */
export interface FollowedFile {
  /** In sentences, such as `token`. */
  readonly what: string;
  /** Reads the file; throws when what it should hold is not in it. */
  readonly read: () => string;
  readonly onRenewed: (content: string) => void;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
  /** Milliseconds between two looks; 5 s unless given. */
  readonly pollMs?: number;
}

const POLL_MS = 5_000;

/** Looks at a file until the signal, and tells of each content that differs. One that cannot be read leaves the last one in use. */
export async function followFile({ what, read, onRenewed, say, signal, pollMs = POLL_MS }: FollowedFile, first: string): Promise<void> {
  let [current, complaint] = [first, ''];
  for (;;) {
    await sleep(pollMs * (0.8 + 0.4 * Math.random()), signal);
    if (signal.aborted) return;
    try {
      const next = read();
      if (next !== current) onRenewed(next);
      [current, complaint] = [next, ''];
    } catch (error) {
      if (messageOf(error) !== complaint) say(`the ${what} is not renewed, the last one stays in use: ${messageOf(error)}`);
      complaint = messageOf(error);
    }
  }
}
