/** A Pod, or a template of one, with its sidecar. Pure: the webhook and `hawser kube-inject` are two ways to it. */
import { isDeepStrictEqual } from 'node:util';
import { ADDED_CONTAINERS, ADDED_VOLUMES, INJECT_LABEL, INJECTED_ANNOTATION, REVISION_LABEL, SIDECAR_LABEL } from './injection-names.ts';
import { type InjectionSettings, sidecarMark } from './injection-settings.ts';
import { overridden } from './pod-overrides.ts';
import { type PodTemplate, podTemplateProblem } from './pod-template.ts';
import { type AddedContainer, addedContainers, addedVolumes } from './sidecar-containers.ts';

/** What came of it. `asked`: the Pod itself wants it so, and nobody need be told. */
export type Injection =
  | { readonly kind: 'injected'; readonly pod: PodTemplate }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'skipped'; readonly reason: string; readonly asked: boolean };

/** Content of the annotation `hawser.dev/injected`. */
export interface InjectedAccount {
  readonly revision: string;
  readonly image: string;
  readonly initContainers: readonly string[];
  readonly volumes: readonly string[];
}

/**
 * Adds the sidecar; injecting twice is injecting once, and what other settings had added is replaced. `namespace` is that of the request
 * where the Pod does not say its own.
 */
export function injectedPod(pod: unknown, settings: InjectionSettings, namespace?: string): Injection {
  const problem = podTemplateProblem(pod);
  if (problem !== undefined) return skipped(problem);
  const template = pod as PodTemplate;
  const reason = leftOut(template, settings, template.metadata?.namespace ?? namespace);
  if (reason !== undefined) return reason;
  const own = withoutAdded(template);
  const taken = takenName(own);
  if (taken !== undefined) return skipped(`${taken} is a name of the sidecar's own: rename it`);
  const isShared = hasResources(own);
  const wanted = overridden(isShared ? { ...settings, requests: {}, limits: {} } : settings, own.metadata?.annotations ?? {});
  if (typeof wanted === 'string') return skipped(wanted);
  const injected = withAdded(own, addedContainers(wanted, isShared), { settings: wanted, mark: sidecarMark(settings) });
  return isDeepStrictEqual(injected, template) ? { kind: 'unchanged' } : { kind: 'injected', pod: injected };
}

function skipped(reason: string, asked = false): Injection & { readonly kind: 'skipped' } {
  return { kind: 'skipped', reason, asked };
}

/** What a Pod may say of itself, beside the word that Namespaces have for it. */
const WANTED = ['true', 'enabled'];
const UNWANTED = ['false', 'disabled'];
/** Containers of other meshes, which lead the same traffic to themselves. */
const OTHER_MESHES = ['istio-proxy', 'istio-init', 'istio-validation', 'linkerd-proxy', 'linkerd-init'];
/** On the API server's image of a Pod that the kubelet made of a file: it runs as that file says. */
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';

/** Why a Pod is given no sidecar, whatever its annotations say of one; undefined where nothing is against it. */
export function leftOut(
  pod: PodTemplate,
  settings: Pick<InjectionSettings, 'ignoredNamespaces' | 'revision' | 'proxyUser'>,
  namespace: string | undefined,
): (Injection & { readonly kind: 'skipped' }) | undefined {
  const { metadata, spec } = pod;
  const said = [metadata?.labels?.[INJECT_LABEL], metadata?.annotations?.[INJECT_LABEL]].filter((word) => word !== undefined);
  if (said.some((word) => UNWANTED.includes(word))) return skipped(`${INJECT_LABEL} is "false"`, true);
  const odd = said.find((word) => !WANTED.includes(word));
  if (odd !== undefined) return skipped(`${INJECT_LABEL}: ${JSON.stringify(odd)} is neither "true" nor "false"`);
  if (metadata?.annotations?.[MIRROR_ANNOTATION] !== undefined) return skipped('it is made of a file on its node', true);
  if (namespace !== undefined && settings.ignoredNamespaces.includes(namespace))
    return skipped(`nothing is injected in namespace ${namespace}`, true);
  const revision = metadata?.labels?.[REVISION_LABEL];
  if (revision !== undefined && revision !== settings.revision) return skipped(`it is for revision ${revision} (${REVISION_LABEL})`, true);
  if (spec.hostNetwork === true) return skipped('hostNetwork: its traffic is that of the node, and cannot be captured');
  if (spec.os?.name === 'windows' || spec.nodeSelector?.['kubernetes.io/os'] === 'windows')
    return skipped('it is for windows: there is no sidecar for it');
  const other = [...spec.containers, ...(spec.initContainers ?? [])].find(({ name }) => OTHER_MESHES.includes(name));
  if (other !== undefined) return skipped(`container ${other.name} is of another mesh, and two sidecars cannot both have its traffic`);
  const users = [spec, ...spec.containers].map(({ securityContext }) => securityContext?.runAsUser);
  if (users.includes(settings.proxyUser))
    return skipped(`runAsUser ${settings.proxyUser} is the sidecar's: its traffic would not be captured; take another one`);
  return undefined;
}

/** What earlier settings added is known by the annotation; without it, nothing was. */
function withoutAdded(pod: PodTemplate): PodTemplate {
  if (pod.metadata?.annotations?.[INJECTED_ANNOTATION] === undefined) return pod;
  const { [INJECTED_ANNOTATION]: _account, ...annotations } = pod.metadata.annotations;
  const { [SIDECAR_LABEL]: _mark, ...labels } = pod.metadata.labels ?? {};
  const own = <Entry extends { readonly name: string }>(all: readonly Entry[] | null | undefined, added: readonly string[]): Entry[] =>
    (all ?? []).filter(({ name }) => !added.includes(name));
  return {
    ...pod,
    metadata: { ...pod.metadata, labels, annotations },
    spec: { ...pod.spec, initContainers: own(pod.spec.initContainers, ADDED_CONTAINERS), volumes: own(pod.spec.volumes, ADDED_VOLUMES) },
  };
}

function takenName({ spec }: PodTemplate): string | undefined {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])].find(({ name }) => ADDED_CONTAINERS.includes(name));
  const volume = (spec.volumes ?? []).find(({ name }) => ADDED_VOLUMES.includes(name));
  return containers !== undefined ? `container ${containers.name}` : volume === undefined ? undefined : `volume ${volume.name}`;
}

/**
 * Whether the Pod has resources as a whole (KEP-2837): the API server refuses one whose containers ask for more than those together, so the
 * sidecar asks for none of its own, unless annotations say some.
 */
function hasResources({ spec: { resources } }: PodTemplate): boolean {
  return Object.keys({ ...resources?.requests, ...resources?.limits }).length > 0;
}

function withAdded(
  pod: PodTemplate,
  added: readonly AddedContainer[],
  { settings, mark }: { readonly settings: InjectionSettings; readonly mark: string },
): PodTemplate {
  const account: InjectedAccount = {
    ...{ revision: settings.revision, image: settings.image, initContainers: added.map(({ name }) => name), volumes: ADDED_VOLUMES },
  };
  const { metadata, spec } = pod;
  return {
    ...pod,
    metadata: {
      ...metadata,
      labels: { ...metadata?.labels, [SIDECAR_LABEL]: mark },
      annotations: { ...metadata?.annotations, [INJECTED_ANNOTATION]: JSON.stringify(account) },
    },
    spec: {
      ...spec,
      initContainers: [...added, ...(spec.initContainers ?? [])],
      volumes: [...(spec.volumes ?? []), ...(addedVolumes() as { name: string }[])],
    },
  };
}
