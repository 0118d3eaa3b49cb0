/** `npm run check`: the one gate. Format, lint, import boundaries, types, generated files up to date; then the largest files. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules/.bin', name);

/** Past this many lines a file is no longer one thing (house rules). */
const MOST_LINES = 400;

const CHECKS: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['format, lint, import boundaries', bin('biome'), 'ci', '--error-on-warnings', '--colors=off'],
  ['types', bin('tsc'), '--noEmit'],
  ['generated files: Envoy', process.execPath, join(root, 'shared/xds/generate.ts'), '--check'],
  ['generated files: Istio', process.execPath, join(root, 'shared/model/generate-istio.ts'), '--check'],
  ['generated files: CRDs', process.execPath, join(root, 'deploy/crds/generate.ts'), '--check'],
];

/** What came of a check: whether it is well, and what to print. */
async function check([name, command, ...args]: (typeof CHECKS)[number]): Promise<{ readonly ok: boolean; readonly text: string }> {
  const started = performance.now();
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += part));
  const code = await new Promise<number>((resolve) => {
    child.on('error', () => resolve(127));
    child.on('close', (status) => resolve(status ?? 1));
  });
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  if (code === 0) return { ok: true, text: `ok     ${name} (${seconds} s)` };
  return { ok: false, text: `FAILED ${name} (${seconds} s)\n${output.trimEnd()}` };
}

/** `FILE:LINE` of what a merge left behind, in any text: nothing else reads documents. */
function mergeMarks(): string[] {
  const marks = ['-e', '^<<<<<<< ', '-e', '^>>>>>>> '];
  const found = spawnSync('git', ['grep', '-nIE', ...marks], { cwd: root, encoding: 'utf8' });
  return found.stdout.split('\n').filter((line) => line !== '');
}

/** Hand-written sources by their lines, the longest first. */
function sourcesByLength(): { file: string; lines: number }[] {
  const listed = execFileSync('git', ['ls-files', '-z', '*.ts', '*.tsx', '*.mjs'], { cwd: root, encoding: 'utf8' });
  const files = listed.split('\0').filter((file) => file !== '' && !/(^|\/)(generated|testdata)\//.test(file));
  const counted = files.map((file) => ({ file, lines: linesOf(file) }));
  return counted.sort((a, b) => b.lines - a.lines);
}

function linesOf(file: string): number {
  try {
    return readFileSync(join(root, file), 'utf8').split('\n').length - 1;
  } catch {
    return 0; // deleted, not committed yet
  }
}

const results: boolean[] = [];
for (const one of CHECKS.map(check)) {
  const { ok, text } = await one;
  results.push(ok);
  console.log(text);
}
const sources = sourcesByLength();
const long = sources.filter(({ lines }) => lines > MOST_LINES);
console.log(
  `largest files: ${sources
    .slice(0, 3)
    .map(({ file, lines }) => `${file} ${lines}`)
    .join(', ')}`,
);
for (const { file, lines } of long) console.log(`FAILED ${file} has ${lines} lines, ${MOST_LINES} are the most: make it two`);
const marks = mergeMarks();
for (const mark of marks) console.log(`FAILED ${mark}: a merge was not finished`);
process.exitCode = results.every(Boolean) && long.length === 0 && marks.length === 0 ? 0 : 1;
