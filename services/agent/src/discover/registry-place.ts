/** Where an agent's objects are, as its configuration says. */
import { resolve } from 'node:path';
import { AppError } from '@hawser/runtime/app-error.ts';

/** A folder of YAML files. */
export interface DirectoryPlace {
  readonly kind: 'directory';
  /** Absolute. */
  readonly path: string;
}

/** An API server. */
export interface KubernetesPlace {
  readonly kind: 'kubernetes';
  /** Absolute; undefined inside of the cluster, where the Pod's own service account is used. */
  readonly kubeconfig: string | undefined;
  /** Which context of the kubeconfig; its current one unless given. */
  readonly context: string | undefined;
  /** Namespaces whose TLS Secrets edge proxies are given, sorted. Secrets of any other are never asked for. */
  readonly secretNamespaces: readonly string[];
  /** `NAMESPACE/ACCOUNT` whose Pods may be edge proxies, sorted. */
  readonly edgeAccounts: readonly string[];
}

/** Where the objects are. */
export type RegistryPlace = DirectoryPlace | KubernetesPlace;

/** Settings by name, each as the list that it may be. */
type Settings = (name: string) => readonly string[];

/** Reads the settings; throws `config-invalid` unless exactly one place is named. */
export function registryPlace(settings: Settings): RegistryPlace {
  const text = (name: string): string | undefined => settings(name)[0];
  const [path, kubernetes, kubeconfig, context] = [text('registryDir'), text('kubernetes'), text('kubeconfig'), text('context')];
  const [secretNamespaces, edgeAccounts] = [sorted(settings('secretNamespace')), sorted(settings('edgeAccount'))];
  if (kubernetes !== undefined && kubernetes !== 'true')
    throw new AppError(
      'config-invalid',
      `--kubernetes (HAWSER_AGENT_KUBERNETES) is ${JSON.stringify(kubernetes)}; expected true, or nothing`,
    );
  if (kubernetes !== undefined && path !== undefined)
    throw new AppError('config-invalid', '--registry-dir and --kubernetes are both given: an agent has one source of objects');
  if (kubernetes !== undefined) {
    if (context !== undefined && kubeconfig === undefined)
      throw new AppError('config-invalid', '--context is of a kubeconfig: name that with --kubeconfig');
    return {
      kind: 'kubernetes',
      kubeconfig: kubeconfig === undefined ? undefined : resolve(kubeconfig),
      context,
      secretNamespaces,
      edgeAccounts,
    };
  }
  if (kubeconfig !== undefined || context !== undefined || secretNamespaces.length > 0 || edgeAccounts.length > 0)
    throw new AppError(
      'config-invalid',
      '--kubeconfig, --context, --secret-namespace and --edge-account are for --kubernetes, which is not given',
    );
  if (path !== undefined) return { kind: 'directory', path: resolve(path) };
  throw new AppError(
    'config-invalid',
    '--registry-dir is missing: name the folder of Service, EndpointSlice, WorkloadEntry and ServiceExport files; on Kubernetes, say --kubernetes',
  );
}

function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort();
}

/** The place in a sentence. */
export function describePlace(place: RegistryPlace): string {
  if (place.kind === 'directory') return `the registry ${place.path}`;
  return place.kubeconfig === undefined ? 'the API server of this cluster' : `the API server of ${place.kubeconfig}`;
}
