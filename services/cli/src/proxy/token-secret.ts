/**
 * How a running Envoy is given a renewed token: it takes the header of its streams from a secret in a file (SDS, credential injection),
 * which is replaced whenever the token's own file was. Kubelets renew a projected token at four fifths of its life.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { Json } from './bootstrap.ts';

const SECRET = 'proxy_token';

/** PURE: the filter that puts `authorization` on every request to the agent, as the secret in this file says at that moment. */
export function tokenInjector(secretFile: string): Json {
  return {
    name: 'envoy.filters.http.credential_injector',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector',
      overwrite: true,
      credential: {
        name: 'envoy.http.injected_credentials.generic',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic',
          credential: { name: SECRET, sds_config: { path_config_source: { path: secretFile }, resource_api_version: 'V3' } },
        },
      },
    },
  };
}

/** PURE: what stands in that file (envoy.service.discovery.v3.DiscoveryResponse with one generic Secret). */
export function tokenSecret(token: string): Json {
  return {
    resources: [
      {
        '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
        name: SECRET,
        generic_secret: { secret: { inline_string: `Bearer ${token}` } },
      },
    ],
  };
}

/** Writes the file, 0600, by a rename: Envoy hears of those, and never reads half of it. */
export function writeTokenSecret(path: string, token: string): void {
  writeFileSync(`${path}.new`, JSON.stringify(tokenSecret(token)), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** What is followed. */
export interface FollowedToken {
  /** Reads the token's file; throws when there is none in it. */
  readonly read: () => string;
  readonly onRenewed: (token: string) => void;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
  /** Milliseconds between two looks; 5 s unless given. */
  readonly pollMs?: number;
}

const POLL_MS = 5_000;

/** Looks at the token's file until the signal, and tells of each token that differs. One that cannot be read leaves the last one in use. */
export async function followToken({ read, onRenewed, say, signal, pollMs = POLL_MS }: FollowedToken, first: string): Promise<void> {
  let [current, complaint] = [first, ''];
  for (;;) {
    await sleep(pollMs * (0.8 + 0.4 * Math.random()), signal);
    if (signal.aborted) return;
    try {
      const next = read();
      if (next !== current) onRenewed(next);
      [current, complaint] = [next, ''];
    } catch (error) {
      if (messageOf(error) !== complaint) say(`the token is not renewed, the last one stays in use: ${messageOf(error)}`);
      complaint = messageOf(error);
    }
  }
}
