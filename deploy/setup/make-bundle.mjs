/**
 * Makes the bundle of third-party packages (bundled-packages.mjs), on Node 26: each import that bundle.json lists becomes a file with the
 * same exports, and what several need is in files of its own, so that nothing is there twice. The folder appears whole, by a rename.
 */
import 'reflect-metadata';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { bundleFolder } from './bundled-packages.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const { packages } = JSON.parse(readFileSync(join(HERE, 'bundle.json'), 'utf8'));
/** Tried by a package, and not installed: it does without. */
const OPTIONAL = ['pg-native', 'pg-cloudflare'];
const WEEK_MS = 7 * 86_400_000;

/** `@scope/name/file.js` as a file's name. */
const fileOf = (specifier) => specifier.replace(/^@/, '').replaceAll(/[/.]/g, '-');

/** A module with the exports that Node finds in the package: of CommonJS a bundler cannot know their names. */
async function entryOf(specifier) {
  const exported = Object.keys(await import(specifier)).filter((name) => name !== 'module.exports');
  return `import ${JSON.stringify(specifier)};\nexport { ${exported.join(', ')} } from ${JSON.stringify(specifier)};\n`;
}

async function bundle(folder) {
  const entries = new Map();
  for (const specifier of packages) entries.set(join(HERE, `${fileOf(specifier)}.mjs`), await entryOf(specifier));
  const problems = [];
  const built = await rolldown({
    input: Object.fromEntries([...entries.keys()].map((path) => [basename(path, '.mjs'), path])),
    platform: 'node',
    external: OPTIONAL,
    plugins: [{ name: 'entries', resolveId: (id) => (entries.has(id) ? id : undefined), load: (id) => entries.get(id) }],
    onLog: (level, log) => level === 'warn' && !['EVAL', 'CIRCULAR_DEPENDENCY'].includes(log.code) && problems.push(log.message),
  });
  const { output } = await built.write({
    dir: folder,
    format: 'esm',
    entryFileNames: '[name].mjs',
    chunkFileNames: 'part-[hash].mjs',
    keepNames: true,
    comments: { legal: false, annotation: false, jsdoc: false },
  });
  await built.close();
  const outside = output
    .flatMap(({ imports = [] }) => imports)
    .filter((id) => !id.endsWith('.mjs') && !builtinModules.includes(id.replace(/^node:/, '')) && !OPTIONAL.includes(id));
  if (outside.length > 0 || problems.length > 0)
    throw new Error([...problems, ...outside.map((id) => `${id} is imported and not found`)].join('\n'));
  return output;
}

const folder = bundleFolder();
const cache = dirname(folder);
const work = join(cache, `making-${process.pid}`);
mkdirSync(work, { recursive: true });
try {
  await bundle(work);
  const manifest = Object.fromEntries(packages.map((specifier) => [specifier, `${fileOf(specifier)}.mjs`]));
  writeFileSync(join(work, 'manifest.json'), JSON.stringify(manifest, null, 2));
  rmSync(folder, { recursive: true, force: true });
  renameSync(work, folder);
} finally {
  rmSync(work, { recursive: true, force: true });
}
// Older bundles: what runs since a week and loads something only now is rare, and fails with the file's name.
for (const name of readdirSync(cache)) {
  const path = join(cache, name);
  if (/^(packages|making)-/.test(name) && path !== folder && Date.now() - statSync(path).mtimeMs > WEEK_MS)
    rmSync(path, { recursive: true, force: true });
}
