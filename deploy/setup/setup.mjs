/**
 * Makes a fresh clone ready: npm packages and the bundle of them, Node 26, Envoy and nats-server. Plain JavaScript without dependencies,
 * because it runs on whatever Node (18 or newer) the machine has. When everything is there it costs a few milliseconds.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBinaries, missingBinaries } from './binaries.mjs';
import { bundleMissing } from './bundled-packages.mjs';
import { installPackages, packagesMissing } from './packages.mjs';
import { SetupError } from './setup-error.mjs';

export { SetupError };

/** The repository's root. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const TOOLS = join(ROOT, '.tools');

/**
 * Installs what is missing, once, and returns when all of it is there. Progress goes to stderr, unless `quiet`.
 * Throws `SetupError` with one sentence when something cannot be had.
 */
export async function ensureSetup({ quiet = false } = {}) {
  if (ready()) return;
  const say = quiet ? () => {} : (line) => process.stderr.write(`setup: ${line}\n`);
  const release = await lock(say);
  try {
    if (packagesMissing(ROOT)) installPackages(ROOT, say);
    await ensureBinaries(TOOLS, say);
    if (bundleMissing()) makeBundle(node26(), say);
    say('ready');
  } finally {
    release();
  }
}

function ready() {
  return !packagesMissing(ROOT) && missingBinaries(TOOLS).length === 0 && !bundleMissing();
}

/** The packages in few files, so that processes start sooner and are smaller. */
function makeBundle(node, say) {
  const started = Date.now();
  const made = spawnSync(node, [join(ROOT, 'deploy/setup/make-bundle.mjs')], { encoding: 'utf8' });
  if (made.status !== 0)
    throw new SetupError(`the npm packages could not be bundled:\n${made.stderr}\nHAWSER_PLAIN_PACKAGES=1 goes without the bundle`);
  say(`npm packages bundled (${((Date.now() - started) / 1000).toFixed(1)} s)`);
}

/** Path of a Node 26 or newer: this process's own if it is one, else the npm package's. */
export function node26() {
  if (Number(process.versions.node.split('.')[0]) >= 26 && existsSync(process.execPath)) return process.execPath;
  const path = join(ROOT, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (existsSync(path)) return path;
  throw new SetupError(
    `there is no Node 26 package for ${process.platform}-${process.arch}: install Node.js 26 or newer and run again with it`,
  );
}

/** One setup at a time: a folder is the lock, and a lock whose owner is dead is taken over. */
async function lock(say) {
  const folder = join(TOOLS, 'setup.lock');
  const owner = join(folder, 'pid');
  mkdirSync(TOOLS, { recursive: true });
  for (let waited = 0; ; waited += 200) {
    try {
      mkdirSync(folder);
      writeFileSync(owner, String(process.pid));
      return () => rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (abandoned(folder, owner)) rmSync(folder, { recursive: true, force: true });
    else {
      if (waited === 0) say('another setup is running, waiting for it');
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

function abandoned(folder, owner) {
  try {
    process.kill(Number(readFileSync(owner, 'utf8')), 0);
    return false;
  } catch (error) {
    if (error.code === 'EPERM') return false;
    if (error.code === 'ESRCH') return true;
  }
  try {
    return Date.now() - statSync(folder).mtimeMs > 5_000; // no pid in it: its owner died between two lines
  } catch {
    return false;
  }
}
