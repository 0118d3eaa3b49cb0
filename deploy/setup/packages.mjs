/** npm packages: are the ones of package-lock.json installed, and if not, install them. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './setup-error.mjs';

/**
 * True when `node_modules` is not what package-lock.json says. npm records what it installed in
 * `node_modules/.package-lock.json`, last; comparing the two needs no stamp of ours. Optional packages
 * (other platforms') may be absent, except this platform's Node 26.
 */
export function packagesMissing(root) {
  const installed = lockedPackages(join(root, 'node_modules/.package-lock.json'));
  const wanted = lockedPackages(join(root, 'package-lock.json'));
  if (installed === undefined || wanted === undefined) return true;
  const node = `node_modules/node-${process.platform}-${process.arch}`;
  return Object.entries(wanted).some(([path, entry]) => {
    if (!path.includes('node_modules/')) return false; // the root and the workspaces themselves
    const have = installed[path];
    if (have === undefined) return !entry.optional || path === node;
    return have.version !== entry.version || have.integrity !== entry.integrity;
  });
}

function lockedPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/**
 * Installs what package-lock.json says, by `npm install --no-save`, which leaves the lock as it is. Not `npm ci`: that refuses the
 * lock where a registry lacks one optional package of some other platform. What was installed is compared with the lock afterwards.
 */
export function installPackages(root, say) {
  say('installing npm packages …');
  const started = Date.now();
  const npm = process.env.npm_execpath;
  const own = npm?.endsWith('.js') && existsSync(npm);
  const [command, first] = own ? [process.execPath, [npm]] : ['npm', []];
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const run = spawnSync(command, [...first, ...args], { cwd: root, encoding: 'utf8' });
  if (run.error?.code === 'ENOENT')
    throw new SetupError('npm is not installed: install Node.js with npm (https://nodejs.org) and run again');
  if (run.status !== 0)
    throw new SetupError(`npm install failed; is the npm registry reachable?\n${beginning(`${run.stdout}${run.stderr}`)}`);
  if (packagesMissing(root))
    throw new SetupError('npm install ended well, yet packages are missing: delete node_modules and run npm run setup again');
  say(`npm packages installed (${((Date.now() - started) / 1000).toFixed(1)} s)`);
}

function beginning(output) {
  return output.split('\n').slice(0, 15).join('\n');
}
