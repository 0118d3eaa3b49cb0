/** The embedded server's data folder: made once, whole or not at all, and kept. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { privateFolder, readIfThere, writeDurably } from '@hawser/runtime/durable-file.ts';
import type { PostgresBinaries } from './binaries.ts';
import type { ServerUser } from './server-user.ts';

const run = promisify(execFile);
const INITDB_DEADLINE_MS = 60_000;
/** The major version the binaries have (PostgreSQL 18). */
const MAJOR = '18';

/** Superuser of the embedded server. */
export const SUPERUSER = 'hawser';

/** Where everything of the embedded server is. */
export interface DataFolder {
  /** `PGDATA`. */
  readonly path: string;
  readonly password: string;
  readonly logFile: string;
}

/** The paths, before anything exists. */
export function dataPath(stateDir: string): string {
  return join(stateDir, 'hub/postgres');
}

/** Opens the data folder below the state folder; the first time it is made. Throws `data-folder-version` for another major version. */
export async function openDataFolder(stateDir: string, binaries: PostgresBinaries, user: ServerUser): Promise<DataFolder> {
  privateFolder(join(stateDir, 'hub'));
  const path = dataPath(stateDir);
  const password = await keptPassword(join(stateDir, 'hub/postgres.password'), existsSync(join(path, 'PG_VERSION')));
  if (!existsSync(join(path, 'PG_VERSION'))) await initialise(path, password, { binaries, user });
  const version = readFileSync(join(path, 'PG_VERSION'), 'utf8').trim();
  if (version !== MAJOR) {
    throw new AppError(
      'data-folder-version',
      `${path} was made by PostgreSQL ${version}, and this is ${MAJOR}: dump and restore it, or move it away`,
    );
  }
  return { path, password, logFile: join(stateDir, 'hub/postgres.log') };
}

async function keptPassword(file: string, needed: boolean): Promise<string> {
  const kept = (await readIfThere(file))?.trim();
  if (kept !== undefined && kept !== '') return kept;
  if (needed) throw new AppError('password-lost', `${file} is missing, and the database beside it needs it: restore the file`);
  const password = randomBytes(24).toString('base64url');
  await writeDurably(file, `${password}\n`);
  return password;
}

/** initdb works beside the final place: a crash leaves no half-made folder under the name that counts. */
async function initialise(path: string, password: string, how: { binaries: PostgresBinaries; user: ServerUser }): Promise<void> {
  const making = `${path}.making`;
  await rm(making, { recursive: true, force: true });
  await rm(path, { recursive: true, force: true });
  await mkdir(making, { mode: 0o700 });
  const passwordFile = join(making, '..', `.initdb-${randomBytes(6).toString('hex')}`);
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
  try {
    for (const owned of how.user.argvPrefix.length > 0 ? [making, passwordFile] : []) chownSync(owned, how.user.uid, how.user.gid);
    const [program = '', ...args] = [
      ...how.user.argvPrefix,
      how.binaries.initdb,
      ...['-D', making, '-U', SUPERUSER, `--pwfile=${passwordFile}`],
      ...['--auth=scram-sha-256', '-E', 'UTF8', '--locale=C'],
    ];
    await run(program, args, { timeout: INITDB_DEADLINE_MS, env: { PATH: process.env['PATH'], LC_ALL: 'C' }, cwd: '/' });
    await rename(making, path);
  } catch (error) {
    throw new AppError('initdb-failed', `PostgreSQL's initdb failed in ${making}: ${messageOf(error).slice(0, 2000)}`, { cause: error });
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** Makes the log file the server's user writes to. */
export function prepareLog(logFile: string, user: ServerUser): void {
  chmodSync(logFile, 0o600);
  if (user.argvPrefix.length > 0) chownSync(logFile, user.uid, user.gid);
}
