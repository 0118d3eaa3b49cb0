/**
 * `node deploy/setup/run.mjs [TARGET.ts [ARGS]]`: sets the clone up, then runs TARGET under Node 26, in this process
 * if it is one already. Exit code and signals are the target's. Without a target: setup alone.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { useBundledPackages } from './bundled-packages.mjs';
import { ensureSetup, node26, SetupError } from './setup.mjs';

/** Where Linux has it, setpriv ends the target when this process is killed outright. */
const SETPRIV = '/usr/bin/setpriv';

function spawnTarget(node, args) {
  const leashed = process.platform === 'linux' && executable(SETPRIV);
  const [command, first] = leashed ? [SETPRIV, ['--pdeathsig', 'TERM', node]] : [node, []];
  const child = spawn(command, [...first, ...args], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(error));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function fail(error) {
  process.stderr.write(`${error instanceof SetupError ? `setup: ${error.message}` : error.stack}\n`);
  process.exit(1);
}

try {
  const [target, ...args] = process.argv.slice(2);
  await ensureSetup();
  if (target !== undefined) {
    const node = node26();
    const path = resolve(target);
    if (node === process.execPath) {
      process.argv = [node, path, ...args];
      useBundledPackages();
      await import(pathToFileURL(path).href);
    } else spawnTarget(node, [process.argv[1], path, ...args]);
  }
} catch (error) {
  fail(error);
}
