/** `hawser cluster uninstall --kubeconfig F`: everything that joining put into a Kubernetes cluster goes again, but what cannot be made anew. */
import { SLICE_OWNER, SLICE_OWNER_LABEL } from '@hawser/agent/discover/kubernetes/followed-kinds.ts';
import { OWNER, OWNER_LABEL } from '@hawser/agent/multicluster/wanted-import.ts';
import { counted } from '@hawser/model/counted.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { ClusterApi, type ClusterFlags } from '../kubernetes/cluster-api.ts';
import { describeObject, installedObjects, ofInstallation } from '../kubernetes/installed-objects.ts';
import { note, print } from '../output/print.ts';

/** Its flags. */
export interface UninstallFlags extends ClusterFlags {
  readonly namespace: string;
  readonly yes?: boolean;
}

/** Shows what goes, a line each, and takes it away with `--yes`. */
export async function uninstallCommand(flags: UninstallFlags): Promise<ExitCode> {
  const { namespace } = flags;
  const api = new ClusterApi(flags);
  try {
    const { own, kept } = ofInstallation(await installedObjects(api, namespace), namespace);
    for (const object of own) {
      if (flags.yes === true) await api.remove(object);
      print(describeObject(object));
    }
    if (flags.yes !== true) {
      note(`${counted(own.length, 'object')} would go, nothing was done. If this is what you want, say --yes`);
      return EXIT.done;
    }
    note(`${counted(own.length, 'object')} removed from ${api.server}`);
    for (const line of remains(namespace, kept.map(describeObject))) note(line);
    return EXIT.done;
  } finally {
    api.close();
  }
}

/** PURE: what stays, and how it goes. */
export function remains(namespace: string, kept: readonly string[]): readonly string[] {
  return [
    `the cluster is a member until: hawser cluster remove NAME`,
    `namespace ${namespace} stays, with the last good state of agents${kept.length === 0 ? '' : ` and ${kept.join(', ')}, the cluster's keys`}: kubectl delete namespace ${namespace}`,
    'definitions of kinds stay, and all objects of them: kubectl get crd',
    `what the agent made of other clusters' exports stays: kubectl delete serviceimports,services -A -l ${OWNER_LABEL}=${OWNER}; kubectl delete endpointslices -A -l ${SLICE_OWNER_LABEL}=${SLICE_OWNER}`,
  ];
}
