/** An agent as `hawser cluster join --kubeconfig` installed it, run as its Pod would run it. */

import { join } from 'node:path';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { podTemplateOf } from './chart.ts';
import type { HawserProcesses, Running } from './hawser-processes.ts';
import type { TestKubeApiserver } from './kube-apiserver.ts';

const NAMESPACE = 'hawser-system';
const NAME = 'hawser-agent';

/** An object of the installation; undefined where there is none. */
export function installedObject(
  { admin }: TestKubeApiserver,
  [apiVersion, kind, name]: readonly [apiVersion: string, kind: string, name: string],
): Promise<KubeObject | undefined> {
  return admin.read({ apiVersion, kind, metadata: { name, namespace: NAMESPACE } });
}

/** Starts it with the arguments of its container, as its service account; folders are those of the processes. Resolves when it has said `said`. */
export async function startInstalledAgent(
  kube: TestKubeApiserver,
  { processes, podIp, said = 'enrolled' }: { readonly processes: HawserProcesses; readonly podIp: string; readonly said?: string },
): Promise<Running> {
  const template = podTemplateOf((await installedObject(kube, ['apps/v1', 'StatefulSet', NAME])) as KubeObject);
  const secret = (await installedObject(kube, ['v1', 'Secret', 'hawser-join-token'])) as unknown as { data: { token: string } };
  const args = template?.spec.containers[0]?.args ?? [];
  const places: Readonly<Record<string, string>> = { $POD_IP: podIp, '/var/lib/hawser-identity': join(processes.folder, 'identity') };
  const own = args.map((word) => places[word.replace(/^\$\((.*)\)$/, '$$$1')] ?? word);
  const account = await kube.kubeconfig(await kube.serviceAccountToken({ namespace: NAMESPACE, name: NAME }));
  const token = Buffer.from(secret.data.token, 'base64').toString();
  const agent = processes.start([...own, '--state-dir', join(processes.folder, 'agent'), '--kubeconfig', account, '--token', token]);
  await agent.says(said);
  return agent;
}
