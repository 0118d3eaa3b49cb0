/**
 * Third-party packages in few files: some thirty instead of 1,500, made once for each package-lock.json (make-bundle.mjs). Where they are
 * not there, or HAWSER_PLAIN_PACKAGES is set, everything comes from node_modules as ever. Plain JavaScript without dependencies.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
/** What the bundle is made of; with any of them changed it is another one. */
const MADE_OF = ['package-lock.json', 'deploy/setup/bundle.json', 'deploy/setup/make-bundle.mjs'];
const MANIFEST = 'manifest.json';

/** Folder of the bundle for the packages as they are now, there or not. */
export function bundleFolder() {
  const hash = createHash('sha256');
  for (const file of MADE_OF) hash.update(readFileSync(join(ROOT, file)));
  return join(ROOT, 'node_modules/.cache/hawser', `packages-${hash.digest('hex').slice(0, 16)}`);
}

/** Whether the bundle has still to be made; never where it is not wanted. */
export function bundleMissing() {
  return !process.env.HAWSER_PLAIN_PACKAGES && !existsSync(join(bundleFolder(), MANIFEST));
}

/** Path of the file of each import (`typebox/compile`); empty without a bundle. */
export function bundledPackages() {
  if (process.env.HAWSER_PLAIN_PACKAGES) return new Map();
  try {
    const folder = bundleFolder();
    const files = JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8'));
    return new Map(Object.entries(files).map(([specifier, file]) => [specifier, join(folder, file)]));
  } catch {
    return new Map();
  }
}

/**
 * From now on the sources of this thread get their packages from the bundle, and each other without a search: `@hawser/agent/x.ts` and
 * `./x.ts` have one meaning. Nothing of a package may be loaded yet: there would be two of it.
 */
export function useBundledPackages() {
  const files = bundledPackages();
  if (files.size === 0) return;
  const urls = new Map([...files].map(([specifier, path]) => [specifier, pathToFileURL(path).href]));
  const packages = new Set([...urls.keys()].map(packageOf));
  const workspaces = new Map(['shared', 'services'].flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => [name, folder])));
  const root = `${pathToFileURL(ROOT).href}/`;
  const isOurs = (url) => url?.startsWith(root) && !url.includes('/node_modules/', root.length - 1);
  module.registerHooks({
    resolve(specifier, context, next) {
      if (!isOurs(context.parentURL)) return next(specifier, context);
      if (specifier.endsWith('.ts')) {
        if (specifier.startsWith('.')) return source(new URL(specifier, context.parentURL).href);
        const [, name, file] = /^@hawser\/([^/]+)\/(.+)$/.exec(specifier) ?? [];
        if (workspaces.has(name)) return source(`${root}${workspaces.get(name)}/${name}/src/${file}`);
      }
      const url = urls.get(specifier);
      if (url !== undefined) return { url, format: 'module', shortCircuit: true };
      if (!packages.has(packageOf(specifier))) return next(specifier, context);
      throw new Error(
        `${specifier} is not in deploy/setup/bundle.json, and others of its package are: add it there, then run npm run setup`,
      );
    },
  });
}

const source = (url) => ({ url, format: 'module-typescript', shortCircuit: true });

/** `@scope/name` of `@scope/name/file`. */
function packageOf(specifier) {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}
