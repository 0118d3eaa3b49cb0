/** What a cluster is given before an agent comes: the CustomResourceDefinitions of `deploy/crds`, and the agent's role. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { parse, parseAllDocuments } from 'yaml';
import type { TestKubeApiserver } from './kube-apiserver.ts';
import type { KubeClient } from './kube-client.ts';
import { eventually } from './served.ts';

const FOLDER = join(import.meta.dirname, '../../deploy/crds');
const ROLE = join(import.meta.dirname, '../../deploy/kubernetes/agent-rbac.yaml');

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

/** Path of a kubeconfig that lets an agent do what `deploy/kubernetes/agent-rbac.yaml` does, and nothing else. */
export async function agentKubeconfig(kube: TestKubeApiserver): Promise<string> {
  for (const one of parseAllDocuments(readFileSync(ROLE, 'utf8'))) await kube.admin.apply(one.toJS() as KubeObject);
  return kube.kubeconfig(await kube.serviceAccountToken({ namespace: 'hawser-system', name: 'hawser-agent' }));
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
