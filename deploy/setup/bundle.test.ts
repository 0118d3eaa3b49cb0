/** The bundle of third-party packages: it has what the sources import, with the packages' own exports, and nothing is loaded twice. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const HOOK = join(import.meta.dirname, 'bundled-packages.mjs');
const { packages, apart } = JSON.parse(readFileSync(join(import.meta.dirname, 'bundle.json'), 'utf8')) as {
  readonly packages: readonly string[];
  readonly apart: Readonly<Record<string, string>>;
};
/** Imports and exports from a name that is no path, types alone left out. */
const STATIC = /^(?:import|export)\s(?!type\s)[^;'"]*?from ['"]([^'".][^'"]*)['"];/gm;
const EFFECT_OR_DYNAMIC = /^import ['"]([^'".][^'"]*)['"];|[^.\w]import\('([^'.][^']*)'\)/gm;

/** Runs a module in a process of its own, with the bundle; what it prints is JSON. */
function runModule<Result>(text: string): Result {
  const env = { ...process.env, HAWSER_PLAIN_PACKAGES: '' };
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', text], { cwd: ROOT, env, encoding: 'utf8' })) as Result;
}

it('lists each import of the sources, and no other', () => {
  const files = execFileSync('git', ['ls-files', '-z', '*.ts', 'deploy/setup/make-bundle.mjs'], { cwd: ROOT, encoding: 'utf8' }).split(
    '\0',
  );
  const imported = new Set<string>();
  for (const file of files.filter((one) => one !== '')) {
    const text = readFileSync(join(ROOT, file), 'utf8');
    for (const [, from, effect, dynamic] of [...text.matchAll(STATIC), ...text.matchAll(EFFECT_OR_DYNAMIC)])
      imported.add(from ?? effect ?? dynamic ?? '');
  }
  const isOthers = (name: string): boolean =>
    !/^(node:|@hawser\/|data:)/.test(name) &&
    !builtinModules.includes(name) &&
    !Object.keys(apart).some((one) => `${name}/`.startsWith(`${one}/`));
  expect([...imported].filter(isOthers).sort()).toEqual([...packages].sort());
});

it('is of packages that all workspaces have in one version', () => {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, unknown>>;
  };
  expect(Object.keys(lock.packages).filter((path) => /^(shared|services)\/.*node_modules/.test(path))).toEqual([]);
});

it('knows where the sources of the workspaces are', () => {
  for (const folder of ['shared', 'services'])
    for (const workspace of readdirSync(join(ROOT, folder))) {
      const { name, exports } = JSON.parse(readFileSync(join(ROOT, folder, workspace, 'package.json'), 'utf8')) as Record<string, unknown>;
      expect([name, exports]).toEqual([`@hawser/${workspace}`, { './*': './src/*' }]);
    }
});

it('exports what Node finds in the packages', () => {
  const differences = runModule<string[]>(`
    import 'reflect-metadata';
    import { bundledPackages } from ${JSON.stringify(HOOK)};
    const shape = (object) => Object.keys(object).filter((name) => name !== 'module.exports').sort().map((name) => name + ': ' + typeof object[name]).join(', ');
    const differences = [];
    for (const [specifier, path] of bundledPackages()) {
      const [plain, bundled] = [await import(specifier), await import(path)];
      if (shape(plain) !== shape(bundled)) differences.push(specifier);
      if (plain.default instanceof Object && shape(plain.default) !== shape(bundled.default)) differences.push(specifier + ' (default)');
    }
    console.log(JSON.stringify([bundledPackages().size, ...differences]));
  `);
  expect(differences).toEqual([packages.length]);
});

it.each(['agent', 'hub'])('is all that the %s loads of others, but for what stays apart', (service) => {
  const loaded = runModule<string[]>(`
    import { registerHooks } from 'node:module';
    import { useBundledPackages } from ${JSON.stringify(HOOK)};
    const loaded = new Set();
    registerHooks({ load(url, context, next) { loaded.add(url); return next(url, context); } });
    useBundledPackages();
    await import(${JSON.stringify(join(ROOT, `services/${service}/src/main.ts`))});
    console.log(JSON.stringify([...loaded]));
  `);
  const others = loaded.map((url) => url.split('/node_modules/').at(-1) ?? '').filter((path, at) => path !== loaded[at]);
  const bundled = others.filter((path) => path.startsWith('.cache/'));
  expect(bundled.length).toBeGreaterThan(20);
  expect(bundled.length).toBeLessThan(100);
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly dependencies?: Readonly<Record<string, string>> }>>;
  };
  const allowed = new Set(Object.keys(apart));
  for (const name of allowed) for (const one of Object.keys(lock.packages[`node_modules/${name}`]?.dependencies ?? {})) allowed.add(one);
  const nameOf = (path: string): string => path.split('/', path.startsWith('@') ? 2 : 1).join('/');
  expect(others.filter((path) => !path.startsWith('.cache/') && !allowed.has(nameOf(path)))).toEqual([]);
});

it('is what the command itself runs on, unless plain packages are asked for', () => {
  const show = `import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) { if (url.includes('/node_modules/')) process.stderr.write(url + '\\n'); return next(url, context); } });`;
  const bin = join(ROOT, 'services/cli/bin/hawser.mjs');
  const loadedBy = (plain: string): string[] => {
    const env = { ...process.env, HAWSER_PLAIN_PACKAGES: plain };
    const options = { cwd: ROOT, env, encoding: 'utf8' } as const;
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--import', `data:text/javascript,${encodeURIComponent(show)}`, bin, 'version'],
      options,
    );
    expect(status, stderr).toBe(0);
    return stderr.trim().split('\n');
  };
  const isBundled = (url: string): boolean => url.includes('/node_modules/.cache/hawser/packages-');
  expect(new Set(loadedBy('').map(isBundled))).toEqual(new Set([true]));
  expect(new Set(loadedBy('1').map(isBundled))).toEqual(new Set([false]));
});
