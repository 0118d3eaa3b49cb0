#!/usr/bin/env node
/**
 * The `hawser` command. Plain JavaScript without dependencies, because it runs on whatever Node the machine has: sets the clone up, then runs
 * src/main.ts under Node 26, in this process if it is one already. Exit code and signals are the command's.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const MAIN = join(HERE, '../src/main.ts');
const SETUP = join(HERE, '../../../deploy/setup/setup.mjs');
const BUNDLE = join(HERE, '../../../deploy/setup/bundled-packages.mjs');
const CACHE = join(HERE, '../../../node_modules/.cache/hawser');

/** Path of the Node that runs the TypeScript sources. An image without the setup has the right one already. */
async function preparedNode() {
  if (!existsSync(SETUP)) return process.execPath;
  const { ensureSetup, node26 } = await import(pathToFileURL(SETUP).href);
  await ensureSetup();
  return node26();
}

async function runHere() {
  // Types stripped once are kept: every later start is faster, and 20 MB lighter without the stripper.
  if (process.env.NODE_COMPILE_CACHE === undefined) module.enableCompileCache?.(CACHE);
  if (existsSync(BUNDLE)) (await import(pathToFileURL(BUNDLE).href)).useBundledPackages();
  const { main } = await import(pathToFileURL(MAIN).href);
  process.exitCode = await main(process.argv.slice(2));
}

/**
 * What `hub run` and `agent run` are started with, for they run for months: a heap that is collected when it has grown by a
 * fifth and not when it has grown to half a gigabyte, a young generation of 12 MiB at most, and a malloc that gives large
 * buffers back.
 */
const SERVICE = {
  flags: ['--heap-growing-percent=20', '--max-semi-space-size=4'],
  env: { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' },
};

/** Whether this process is to become a service that was not started with its flags. */
function becomesService([noun, verb]) {
  const isService = (noun === 'hub' || noun === 'agent') && verb === 'run';
  return isService && process.platform === 'linux' && process.execve !== undefined && process.env.HAWSER_STARTED === undefined;
}

/** Starts the same command anew in this process, under the same process id. */
function becomeService() {
  const env = { ...SERVICE.env, ...process.env, HAWSER_STARTED: '1' };
  process.execve(process.execPath, [process.execPath, ...SERVICE.flags, ...process.execArgv, ...process.argv.slice(1)], env);
}

/** Where Linux has it, setpriv ends the command when this process is killed outright. */
function runWith(node) {
  const leash = '/usr/bin/setpriv';
  const leashed = process.platform === 'linux' && existsSync(leash);
  const [command, first] = leashed ? [leash, ['--pdeathsig', 'TERM', '--', node]] : [node, []];
  const child = spawn(command, [...first, fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => child.kill(signal));
  child.on('error', fail);
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function fail(error) {
  process.stderr.write(`hawser: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

try {
  const node = await preparedNode();
  if (node !== process.execPath) runWith(node);
  else if (becomesService(process.argv.slice(2))) becomeService();
  else await runHere();
} catch (error) {
  fail(error);
}
