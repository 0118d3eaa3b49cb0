/** `hawser cluster uninstall --kubeconfig F`: everything that joining put into a Kubernetes cluster goes again, but what cannot be made anew. */

import { counted } from '@hawser/model/counted.ts';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { ClusterApi, type ClusterFlags } from '../kubernetes/cluster-api.ts';
import { describeObject, installedObjects, ofInstallation } from '../kubernetes/installed-objects.ts';
import { note, print } from '../output/print.ts';
import { ALL_MADE, isAnothers, madeObjects, NONE_MADE, takeAway } from './made-objects.ts';

/** Its flags. */
export interface UninstallFlags extends ClusterFlags {
  readonly namespace: string;
  readonly yes?: boolean;
}

/** By it a second run knows that the first ended half-way. */
const LAST = 'ServiceAccount';

/** Shows what goes, a line each, and takes it away with `--yes`. */
export async function uninstallCommand(flags: UninstallFlags): Promise<ExitCode> {
  const { namespace } = flags;
  const api = new ClusterApi(flags);
  try {
    const { own, kept } = ofInstallation(await installedObjects(api, namespace), namespace);
    // Where none was joined, or another one is there, that keeps them.
    const made = own.length === 0 || (await isAnothers(api, own)) ? NONE_MADE : ALL_MADE;
    const there = await madeObjects(api, made);
    const [first, last] = [own.filter(({ kind }) => kind !== LAST), own.filter(({ kind }) => kind === LAST)];
    if (flags.yes !== true) {
      const all = [...first, ...there, ...last];
      for (const object of all) print(describeObject(object));
      note(`${counted(all.length, 'object')} would go, nothing was done. If this is what you want, say --yes`);
      return EXIT.done;
    }
    let count = 0;
    const say = (object: KubeObject): void => {
      count += 1;
      print(describeObject(object));
    };
    await removeEach(api, first, say);
    // The agent's rights and the policy that keeps imports are gone now.
    await takeAway(api, made, say);
    await removeEach(api, last, say);
    note(`${counted(count, 'object')} removed from ${api.server}`);
    for (const line of remains(namespace, kept.map(describeObject), made.imports)) note(line);
    return EXIT.done;
  } finally {
    api.close();
  }
}

async function removeEach(api: ClusterApi, objects: readonly KubeObject[], say: (object: KubeObject) => void): Promise<void> {
  for (const object of objects) {
    await api.remove(object);
    say(object);
  }
}

/** PURE: what stays, and how it goes. */
export function remains(namespace: string, kept: readonly string[], isAllGone: boolean): readonly string[] {
  return [
    `the cluster is a member until: hawser cluster remove NAME`,
    `namespace ${namespace} stays, with the last good state of agents${kept.length === 0 ? '' : ` and ${kept.join(', ')}, the cluster's keys`}: kubectl delete namespace ${namespace}`,
    'definitions of kinds stay, and the objects of them that others made: kubectl get crd',
    isAllGone
      ? 'ServiceExports stay, and say what they were told last: kubectl get serviceexports -A'
      : `ServiceImports, and what stands behind them, stay: they are another agent's than one that was joined in namespace ${namespace}`,
  ];
}
