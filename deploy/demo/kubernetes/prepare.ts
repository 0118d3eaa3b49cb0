/** What a cluster on Kubernetes needs before the demo starts: the API server's program, and addresses for its Pods. */
import { canRunKubernetes, kubeApiserverBinary } from '../../../test/kit/kube-apiserver-binary.ts';
import type { Narrator } from '../narrator.ts';
import type { DemoCluster } from '../topology.ts';
import { openPodNetwork } from './pod-network.ts';

/** Something is missing on this machine; the message says what. */
export class CannotPrepare extends Error {}

/** Prepares every cluster that is on Kubernetes; resolves with what undoes it. Throws `CannotPrepare` and `NoPodNetwork`. */
export async function prepareKubernetes(clusters: readonly DemoCluster[], say: Narrator): Promise<() => void> {
  const onKubernetes = clusters.filter(({ kubeconfig }) => kubeconfig !== undefined);
  if (onKubernetes.length === 0) return () => undefined;
  if (!canRunKubernetes())
    throw new CannotPrepare('--kubernetes needs etcd on the PATH (Debian: etcd-server) and Go 1.26, which builds kube-apiserver once');
  say.progress('kube-apiserver is made ready; its first build on a machine takes minutes');
  await kubeApiserverBinary();
  const closed: (() => void)[] = [];
  for (const cluster of onKubernetes) closed.push(await openPodNetwork(cluster));
  return () => {
    for (const close of closed) close();
  };
}
