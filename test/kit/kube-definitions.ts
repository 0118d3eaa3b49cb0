/** The CustomResourceDefinitions of `deploy/crds` on an API server. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { KubeClient, KubeObject } from './kube-client.ts';
import { eventually } from './served.ts';

const FOLDER = join(import.meta.dirname, '../../deploy/crds');

/** Applies those of these groups, all unless given; resolves when each is established and its kind is served. */
export async function applyDefinitions(admin: KubeClient, groups?: readonly string[]): Promise<void> {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
  const wanted = names.filter((name) => groups === undefined || groups.includes(name.split('_')[0] ?? ''));
  const definitions = wanted.map((name) => parse(readFileSync(join(FOLDER, name), 'utf8')) as Definition);
  for (const definition of definitions) await admin.apply(definition);
  for (const definition of definitions)
    await eventually(
      () => isServed(admin, definition),
      () => `${definition.metadata.name} is not served`,
    );
}

interface Definition extends KubeObject {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly plural: string };
    readonly versions: readonly { readonly name: string }[];
  };
}

/** Established comes first, serving a moment later. */
async function isServed(admin: KubeClient, { spec: { group, names, versions } }: Definition): Promise<boolean> {
  const answers = await Promise.all(versions.map(({ name }) => admin.ask('GET', `/apis/${group}/${name}/${names.plural}`)));
  return answers.every(({ code }) => code === 200);
}
