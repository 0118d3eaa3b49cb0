/** Where the hub is and how to prove oneself to it: flags, the environment, the state folder, in this order. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PORTS } from '@hawser/model/ports.ts';
import { AppError } from '@hawser/runtime/app-error.ts';

/** A hub that can be asked. */
export interface HubLocation {
  /** `http://HOST:PORT`, without a slash at its end. */
  readonly url: string;
  readonly token: string;
}

/** What the command line says. */
export interface HubHints {
  readonly server?: string | undefined;
  readonly stateDir: string;
}

/** Finds hub and token; throws with where it looked and how to start one. Reads files, asks nobody. */
export function locateHub(hints: HubHints, env: NodeJS.ProcessEnv = process.env): HubLocation {
  const url = checkedUrl(hints.server ?? nonEmpty(env['HAWSER_SERVER']) ?? recordedHub(hints.stateDir) ?? defaultHub(env));
  const token = nonEmpty(env['HAWSER_TOKEN']) ?? (isLoopback(url) ? readTrimmed(join(hints.stateDir, 'admin.token')) : undefined);
  if (token !== undefined) return { url: url.origin, token };
  const looked = isLoopback(url)
    ? `HAWSER_TOKEN is not set and ${join(hints.stateDir, 'admin.token')} is not there`
    : `HAWSER_TOKEN is not set (the token of the state folder is for a hub on this machine, not for ${url.origin})`;
  throw new AppError(
    'hub-unknown',
    `no hub is known here: ${looked}; start one with "npx hawser hub run" or "npm run demo" in this folder, or name one with --server URL (or HAWSER_SERVER) and HAWSER_TOKEN`,
  );
}

function checkedUrl(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw new AppError('usage', `the hub's address ${text} is not a URL such as http://127.0.0.1:${PORTS.hub}`);
  if (url.protocol === 'http:' && !isLoopback(url))
    throw new AppError('usage', `${url.origin}: plain HTTP is for loopback addresses only; use https`);
  return url;
}

function isLoopback(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '[::1]' || /^127\.[0-9.]+$/.test(url.hostname);
}

function defaultHub(env: NodeJS.ProcessEnv): string {
  return `http://127.0.0.1:${nonEmpty(env['HAWSER_HUB_PORT']) ?? PORTS.hub}`;
}

/** The hub that last ran on the state folder, or its demo: either may have been given another port. */
function recordedHub(stateDir: string): string | undefined {
  return hubIn(join(stateDir, 'hub', 'processes.json')) ?? hubIn(join(stateDir, 'demo.json'));
}

/** The `hub` record of a file, `{address: IP:PORT}` or `{address: IP, adminPort: PORT}`. */
function hubIn(file: string): string | undefined {
  try {
    const { hub } = JSON.parse(readFileSync(file, 'utf8')) as { hub?: { address?: string; adminPort?: number } | null };
    if (typeof hub?.address !== 'string') return undefined;
    return /:[0-9]+$/.test(hub.address) || hub.adminPort === undefined ? hub.address : `${hub.address}:${hub.adminPort}`;
  } catch {
    return undefined;
  }
}

function readTrimmed(path: string): string | undefined {
  try {
    return nonEmpty(readFileSync(path, 'utf8').trim());
  } catch {
    return undefined;
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
