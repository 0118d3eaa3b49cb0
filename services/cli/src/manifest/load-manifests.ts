import type { Manifest, Problem } from './manifest.ts';
import { parseManifests } from './parse-manifests.ts';
import { readSources } from './read-sources.ts';

/** Reads and checks everything behind `-f` before anything is sent. Throws when a file is not there. */
export async function loadManifests(paths: readonly string[], namespace: string): Promise<{ manifests: Manifest[]; problems: Problem[] }> {
  const files = (await readSources(paths)).map(({ file, text }) => parseManifests(file, text, namespace));
  return { manifests: files.flatMap((file) => file.manifests), problems: [...files.flatMap((file) => file.problems)] };
}
