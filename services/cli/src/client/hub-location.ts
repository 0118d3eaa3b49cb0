/** Where the hub is and how to prove oneself to it: flags, the environment, the state folder, in this order. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PORTS } from '@hawser/model/ports.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { isLoopback as isLoopbackHost, plaintextAllowed } from '@hawser/runtime/plain-listener.ts';
import { terminal } from '../output/terminal.ts';

/** A hub that can be asked. */
export interface HubLocation {
  /** `http://HOST:PORT` or `https://…`, without a slash at its end. */
  readonly url: string;
  readonly token: string;
  /** PEM of a CA that an https hub may have, beside the system's. */
  readonly ca?: string;
}

/** What the command line says. */
export interface HubHints {
  readonly server?: string | undefined;
  readonly stateDir: string;
  /** `--ca-file`. */
  readonly caFile?: string | undefined;
}

/** Finds hub and token; throws with where it looked and how to start one. Reads files, asks nobody. */
export function locateHub(hints: HubHints, env: NodeJS.ProcessEnv = terminal().env): HubLocation {
  const url = checkedUrl(hints.server ?? nonEmpty(env['HAWSER_SERVER']) ?? recordedHub(hints.stateDir) ?? defaultHub(env), env);
  const token = nonEmpty(env['HAWSER_TOKEN']) ?? (isLoopback(url) ? readTrimmed(join(hints.stateDir, 'admin.token')) : undefined);
  const ca = url.protocol === 'https:' ? caOf(hints, env) : undefined;
  if (token !== undefined) return { url: url.origin, token, ...(ca === undefined ? {} : { ca }) };
  const looked = isLoopback(url)
    ? `HAWSER_TOKEN is not set and ${join(hints.stateDir, 'admin.token')} is not there`
    : `HAWSER_TOKEN is not set (the token of the state folder is for a hub on this machine, not for ${url.origin})`;
  throw new AppError(
    'hub-unknown',
    `no hub is known here: ${looked}; start one with "npx hawser hub run" or "npm run demo" in this folder, or name one with --server URL (or HAWSER_SERVER) and HAWSER_TOKEN`,
  );
}

function checkedUrl(text: string, env: NodeJS.ProcessEnv): URL {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw new AppError('usage', `the hub's address ${text} is not a URL such as http://127.0.0.1:${PORTS.hub}`);
  if (url.protocol === 'http:' && !isLoopback(url) && !plaintextAllowed(env))
    throw new AppError('usage', `${url.origin}: plain HTTP is for loopback addresses only; use https`);
  return url;
}

function isLoopback(url: URL): boolean {
  return isLoopbackHost(url.hostname);
}

/** A file that is named must be there; the one that a hub of this state folder left need not. */
function caOf({ caFile, stateDir }: HubHints, env: NodeJS.ProcessEnv): string | undefined {
  const named = caFile ?? nonEmpty(env['HAWSER_CA_FILE']);
  if (named === undefined) return readTrimmed(join(stateDir, 'ca.pem'));
  const text = readTrimmed(named);
  if (text?.includes('-----BEGIN CERTIFICATE-----') === true) return text;
  throw new AppError(
    'usage',
    `--ca-file (HAWSER_CA_FILE): ${named} holds no certificate in PEM; the hub has its CA in ca.pem of its state folder`,
  );
}

function defaultHub(env: NodeJS.ProcessEnv): string {
  return `http://127.0.0.1:${nonEmpty(env['HAWSER_HUB_PORT']) ?? PORTS.hub}`;
}

/** The hub that last ran on the state folder, or its demo: either may have been given another port. */
function recordedHub(stateDir: string): string | undefined {
  return hubIn(join(stateDir, 'hub', 'processes.json')) ?? hubIn(join(stateDir, 'demo.json'));
}

/** The `url` of a file, else its `hub` record, `{address: IP:PORT}` or `{address: IP, adminPort: PORT}`. */
function hubIn(file: string): string | undefined {
  try {
    const { hub, url } = JSON.parse(readFileSync(file, 'utf8')) as { hub?: { address?: string; adminPort?: number } | null; url?: unknown };
    if (typeof url === 'string') return url;
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
