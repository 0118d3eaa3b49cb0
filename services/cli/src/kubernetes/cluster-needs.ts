/** What a Kubernetes cluster has to have and to permit before an agent can be installed in it: a table, and PURE judgements by it. */
import { MULTICLUSTER } from '@hawser/model/multicluster.ts';
import type { Finding } from '../views/check-command.ts';

/** Minor releases of Kubernetes 1 that the charts are for: their `kubeVersion`, and the newest that the tests run on. */
export const KUBERNETES = { oldest: 29, newest: 34 } as const;

/** What is asked of an API server: `GROUP/VERSION` and the collection in it. */
export const NEEDED_APIS: readonly (readonly [groupVersion: string, resource: string, why: string])[] = [
  ['v1', 'services', 'the agent follows them'],
  ['discovery.k8s.io/v1', 'endpointslices', 'the agent follows them'],
  ['authentication.k8s.io/v1', 'tokenreviews', 'proxies prove by it who they are'],
  ['apps/v1', 'statefulsets', 'the agent is one'],
  ['policy/v1', 'poddisruptionbudgets', 'of several agents'],
  ['networking.k8s.io/v1', 'networkpolicies', 'of agent and gateway'],
  ['rbac.authorization.k8s.io/v1', 'clusterroles', "the agent's rights"],
  ['apiextensions.k8s.io/v1', 'customresourcedefinitions', 'kinds of ours and of the MCS API'],
];

/** PURE: whether its release fits. */
export function versionFinding(server: string, { major, minor }: { readonly major: string; readonly minor: string }): Finding {
  const [what, number] = ['kubernetes version', Number.parseInt(minor, 10)];
  const range = `1.${KUBERNETES.oldest} to 1.${KUBERNETES.newest}`;
  const has = `${server} has ${major}.${minor}`;
  if (major !== '1' || !(number >= KUBERNETES.oldest))
    return { level: 'fail', what, message: `${has}; ${range} are supported: upgrade it` };
  if (number > KUBERNETES.newest) return { level: 'warn', what, message: `${has}, newer than what was tested (${range})` };
  return { level: 'ok', what, message: `${has} (${range})` };
}

/** PURE: which of the APIs are there; `served` holds the collections of each `GROUP/VERSION`, undefined where that is not served. */
export function apiFindings(served: ReadonlyMap<string, readonly string[] | undefined>): readonly Finding[] {
  return NEEDED_APIS.map(([groupVersion, resource, why]): Finding => {
    const what = `api ${groupVersion}`;
    if (served.get(groupVersion)?.includes(resource) === true) return { level: 'ok', what, message: `${resource} are served` };
    return { level: 'fail', what, message: `${resource} are not served (${why}): see --runtime-config of its kube-apiserver` };
  });
}

/** What is read of a CustomResourceDefinition. */
export interface Definition {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly group: string; readonly versions: readonly { readonly name: string; readonly served: boolean }[] };
}

const MCS = { ...MULTICLUSTER, kinds: ['serviceexports', 'serviceimports'] } as const;
const OURS = 'hawser.dev';

/** PURE: which definitions of the MCS API and of ours are there, and of which version. Those that are not come with the installation. */
export function definitionFindings(definitions: readonly Definition[]): readonly Finding[] {
  const mcs = MCS.kinds.map((kind): Finding => {
    const what = `crd ${kind}.${MCS.group}`;
    const found = definitions.find(({ metadata }) => metadata.name === `${kind}.${MCS.group}`);
    if (found === undefined) return { level: 'ok', what, message: 'not there yet; hawser cluster join brings it' };
    const served = found.spec.versions.filter((version) => version.served).map(({ name }) => name);
    const known = MCS.versions.find((version) => served.includes(version));
    if (known === undefined)
      return {
        level: 'fail',
        what,
        message: `serves ${served.join(', ') || 'nothing'}, and the agent knows ${MCS.versions.join(' and ')}: upgrade it`,
      };
    const message = `is there and serves ${served.join(', ')}; hawser cluster join makes it ours, as another MCS implementation may not expect`;
    return { level: served.length === MCS.versions.length ? 'ok' : 'warn', what, message };
  });
  const ours = definitions.filter(({ spec }) => spec.group === OURS);
  const message =
    ours.length === 0
      ? 'not there yet; hawser cluster join brings them'
      : `${ours.length} are there; hawser cluster join brings them up to date`;
  return [...mcs, { level: 'ok', what: `crds of ${OURS}`, message }];
}

/** What is read of a StorageClass. */
export interface StorageClass {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
}

/** PURE: where the agent's volumes come from; `classes` is undefined when they cannot be listed. */
export function storageFinding(classes: readonly StorageClass[] | undefined): Finding {
  const what = 'storage';
  const byDefault = classes?.find(({ metadata }) => metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true');
  if (byDefault !== undefined) return { level: 'ok', what, message: `volumes are of StorageClass ${byDefault.metadata.name}` };
  const wayOut = 'name one by the values state.storageClass and identity.storageClass, else the agent waits for its volumes';
  return {
    level: 'warn',
    what,
    message: classes === undefined ? `StorageClasses cannot be listed: ${wayOut}` : `there is no default StorageClass: ${wayOut}`,
  };
}
