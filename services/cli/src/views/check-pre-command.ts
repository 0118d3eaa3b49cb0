/** `hawser check --pre`: whether an agent can be installed, before anything is changed: the hub, helm, and the cluster of a kubeconfig. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { FleetAnswer } from '@hawser/wire/hub-api.ts';
import { AGENT_NAMESPACE } from '../cluster/agent-release.ts';
import { connectHub } from '../commands/connect-hub.ts';
import type { ExitCode } from '../exit-code.ts';
import { ClusterApi } from '../kubernetes/cluster-api.ts';
import {
  apiFindings,
  type Definition,
  definitionFindings,
  NEEDED_APIS,
  type StorageClass,
  storageFinding,
  versionFinding,
} from '../kubernetes/cluster-needs.ts';
import {
  INSTALL_RIGHTS,
  type JudgedRight,
  MADE_RIGHTS,
  type NeededRight,
  ROLE_RIGHTS,
  rightFindings,
} from '../kubernetes/needed-rights.ts';
import { helmVersion } from '../kubernetes/rendered-chart.ts';
import { type Finding, type HubParts, hubFindings, reportFindings } from './check-command.ts';
import type { ViewFlags } from './status-command.ts';

/** Its flags. */
export interface CheckPreFlags extends ViewFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly agentNamespace?: string;
}

/** Prints the findings; exit code 1 when one of them is a failure. What cannot be asked is one, and the rest is asked all the same. */
export async function checkPreCommand(flags: CheckPreFlags): Promise<ExitCode> {
  const [hub, helm, cluster] = await Promise.all([
    attempt('hub', () => hubFound(flags)),
    attempt('helm', helmFound),
    attempt('kubernetes', () => clusterFound(flags)),
  ]);
  return reportFindings([...hub, ...helm, ...cluster], flags);
}

async function attempt(what: string, look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  return look().catch((error: unknown): Finding[] => [{ level: 'fail', what, message: messageOf(error) }]);
}

/** NATS is judged by the hub: agents reach it from their clusters, not from here. */
async function hubFound(flags: CheckPreFlags): Promise<readonly Finding[]> {
  const client = connectHub(flags);
  const parts = (await client.probe('/readyz')) as HubParts;
  return hubFindings(parts, (await client.send({ path: '/hawser/v1/status' })) as FleetAnswer);
}

async function helmFound(): Promise<readonly Finding[]> {
  const version = await helmVersion();
  if (/^v(3|4)\./.test(version)) return [{ level: 'ok', what: 'helm', message: version }];
  return [{ level: 'fail', what: 'helm', message: `${version} is too old: charts need Helm 3` }];
}

async function clusterFound({
  kubeconfig,
  context,
  agentNamespace: namespace = AGENT_NAMESPACE,
}: CheckPreFlags): Promise<readonly Finding[]> {
  if (kubeconfig === undefined)
    return [{ level: 'warn', what: 'kubernetes', message: 'no cluster was looked at: name one with --kubeconfig' }];
  const api = new ClusterApi({ kubeconfig, ...(context === undefined ? {} : { context }) });
  try {
    const version = await api.ask<{ readonly major: string; readonly minor: string }>('/version');
    const parts = await Promise.all([
      attempt('apis', async () => apiFindings(await servedApis(api))),
      attempt('crds', async () =>
        definitionFindings((await listed<Definition>(api, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions')) ?? []),
      ),
      attempt('rights', async () => rightFindings(await judgedRights(api, namespace), namespace)),
      listed<StorageClass>(api, '/apis/storage.k8s.io/v1/storageclasses').then(
        (classes) => [storageFinding(classes)],
        () => [storageFinding(undefined)],
      ),
    ]);
    return [versionFinding(api.server, version), ...parts.flat()];
  } finally {
    api.close();
  }
}

async function listed<Item>(api: ClusterApi, path: string): Promise<readonly Item[] | undefined> {
  return (await api.find<{ readonly items: readonly Item[] }>(path))?.items;
}

async function servedApis(api: ClusterApi): Promise<ReadonlyMap<string, readonly string[] | undefined>> {
  const names = [...new Set(NEEDED_APIS.map(([groupVersion]) => groupVersion))];
  const found = names.map(async (groupVersion) => {
    const path = groupVersion.includes('/') ? `/apis/${groupVersion}` : `/api/${groupVersion}`;
    const answer = await api.find<{ readonly resources: readonly { readonly name: string }[] }>(path);
    return [groupVersion, answer?.resources.map(({ name }) => name)] as const;
  });
  return new Map(await Promise.all(found));
}

/** By SelfSubjectAccessReview (authorization.k8s.io/v1): the API server's own word. */
async function judgedRights(api: ClusterApi, namespace: string): Promise<readonly JudgedRight[]> {
  const judge = async (needed: NeededRight): Promise<JudgedRight> => {
    const answers = await Promise.all(needed.verbs.map((verb) => isAllowed(api, needed, { verb, namespace })));
    return { ...needed, missing: answers.includes(undefined) ? undefined : needed.verbs.filter((_, index) => answers[index] !== true) };
  };
  const [granting, ...needed] = await Promise.all([GRANTING, ...INSTALL_RIGHTS, ...MADE_RIGHTS, ...ROLE_RIGHTS].map(judge));
  return granting?.missing?.length === 0 ? needed.filter(({ role }) => role === undefined) : needed;
}

/** Who has this may give what they do not have. */
const GRANTING: NeededRight = {
  ...{ group: 'rbac.authorization.k8s.io', resource: 'clusterroles', verbs: ['escalate', 'bind'], namespaced: false },
};

async function isAllowed(
  api: ClusterApi,
  { group, resource: path, namespaced, name }: NeededRight,
  { verb, namespace }: { readonly verb: string; readonly namespace: string },
): Promise<boolean | undefined> {
  const [resource, subresource] = path.split('/');
  const attributes = { group, resource, verb, ...(subresource && { subresource }), ...(name && { name }) };
  const spec = { resourceAttributes: { ...attributes, ...(namespaced ? { namespace } : {}) } };
  const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec };
  const { status } = await api.ask<{ readonly status?: { readonly allowed?: boolean } }>(
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    { method: 'POST', body },
  );
  return status?.allowed;
}
