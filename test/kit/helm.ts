/** Helm for tests: the program itself, built once, see `go-program.ts`. It speaks to no cluster and fetches nothing. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { builtPath, type GoProgram, goProgram, releaseOf } from './go-program.ts';
import { available } from './requirements.ts';

/** The Kubernetes that charts are rendered for where none is named, as Helm's own releases have it: the one of these tests. */
const [major = '', minor = ''] = releaseOf('k8s.io/kubernetes').slice(1).split('.');
const KUBERNETES = ['helm.sh/helm/v3/pkg/chartutil', 'helm.sh/helm/v3/pkg/lint/rules'].flatMap((name) => [
  [`${name}.k8sVersionMajor`, major],
  [`${name}.k8sVersionMinor`, minor],
]);

const HELM: GoProgram = {
  ...{ name: 'helm', package: 'helm.sh/helm/v3/cmd/helm', module: 'helm.sh/helm/v3' },
  variables: { 'helm.sh/helm/v3/internal/version.version': releaseOf('helm.sh/helm/v3'), ...Object.fromEntries(KUBERNETES) },
};

/** Whether charts can be rendered here: Go to build Helm, unless it is built. */
export function canRunHelm(): boolean {
  return existsSync(builtPath(HELM)) || available('go');
}

/** Path of the built program, built first if need be. */
export function helmBinary(): Promise<string> {
  return goProgram(HELM);
}

/** What a run of it came to. */
export interface HelmAnswer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Helm with these arguments and, on its standard input, values; without the user's settings and repositories. */
export async function helm(args: readonly string[], values?: unknown): Promise<HelmAnswer> {
  const child = spawn(await helmBinary(), [...args, ...(values === undefined ? [] : ['--values', '-'])], {
    env: { HELM_NO_PLUGINS: '1', HOME: '/nonexistent', HELM_KUBECONTEXT: '', KUBECONFIG: '/nonexistent' },
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (part: string) => {
      said[name] += part;
    });
  child.stdin.on('error', () => undefined); // it ended without reading: its status says why
  child.stdin.end(values === undefined ? undefined : JSON.stringify(values)); // JSON is YAML
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { status, ...said };
}
