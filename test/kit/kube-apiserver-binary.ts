/** The API server of Kubernetes for tests: built once, see `go-program.ts`. */
import { existsSync } from 'node:fs';
import { builtPath, type GoProgram, goProgram, releaseOf } from './go-program.ts';
import { available } from './requirements.ts';

export { BUILD_MS } from './go-program.ts';

const APISERVER: GoProgram = {
  ...{ name: 'kube-apiserver', package: '.', module: 'k8s.io/kubernetes' },
  variables: { 'k8s.io/component-base/version.gitVersion': releaseOf('k8s.io/kubernetes') },
};

/** Whether tests with real API servers can run here: Go to build them, unless they are built, and etcd to hold what they are told. */
export function canRunKubernetes(): boolean {
  const needs = [existsSync(builtPath(APISERVER)) || available('go'), available('etcd')];
  return needs.every(Boolean);
}

/** Path of the built program, built first if need be: minutes. */
export function kubeApiserverBinary(): Promise<string> {
  return goProgram(APISERVER);
}
