/** Keeps what the agent's doors are known by in a ConfigMap, for proxies of the cluster that are told no other way: gateways mount it. */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { ApiRequest } from '../discover/kubernetes/api-client.ts';
import { keepField } from '../discover/kubernetes/kept-field.ts';
import { apiClientOf } from '../discover/kubernetes/open-kubernetes.ts';
import type { KubernetesPlace } from '../discover/registry-place.ts';
import type { Warnings } from '../report/warnings.ts';
import type { ClusterAuthority } from './authority.ts';

/** What it works with. */
export interface TrustConfigMapParts {
  /** `NAMESPACE/NAME`; it is there, and is never made here. */
  readonly configMap: string;
  readonly place: KubernetesPlace;
  readonly authority: Pick<ClusterAuthority, 'doorBundle' | 'onChange'>;
  /** Whether it is this agent that writes for its cluster. */
  readonly publishes: () => boolean;
  readonly warnings: Pick<Warnings, 'standing'>;
  /** Milliseconds between two looks; a minute unless given. */
  readonly everyMs?: number;
}

/** Where in the ConfigMap the bundle is. */
export const TRUST_BUNDLE_KEY = 'ca.pem';

const ConfigMap = Compile(
  Type.Object({
    metadata: Type.Object({ resourceVersion: Type.String() }),
    data: Type.Optional(Type.Record(Type.String(), Type.String())),
  }),
);
const DEADLINE_MS = 5_000;

/** Begins: now, after each change of the authority, and each minute. Returns how to stop. */
export function keepTrustConfigMap({ configMap, place, authority, publishes, warnings, everyMs }: TrustConfigMapParts): () => void {
  const api = apiClientOf(place);
  const over = new AbortController();
  const wake = keepField({
    put: () => putTrustBundle({ api, configMap, bundle: authority.doorBundle, signal: over.signal }),
    ...{ isOwn: publishes, everyMs },
    onProblem: (problem) =>
      warnings.standing('trust bundle', problem === undefined ? [] : [`ConfigMap ${configMap} is not kept: ${problem}`]),
    signal: over.signal,
  });
  const stopFollowing = authority.onChange(wake);
  return () => {
    stopFollowing();
    over.abort();
    api.close();
  };
}

/** One look; writes where the bundle differs. */
export async function putTrustBundle({
  api,
  configMap,
  bundle,
  signal,
}: {
  readonly api: { json(request: ApiRequest): Promise<unknown> };
  readonly configMap: string;
  readonly bundle: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const [namespace, name] = configMap.split('/');
  const path = `/api/v1/namespaces/${namespace}/configmaps/${name}`;
  const found = await api.json({ path, deadlineMs: DEADLINE_MS, signal });
  if (!ConfigMap.Check(found)) throw new Error('the answer is no ConfigMap');
  if (found.data?.[TRUST_BUNDLE_KEY] === bundle) return;
  // Two agents may take turns in this moment: what was read is what is written over.
  const body = { metadata: { resourceVersion: found.metadata.resourceVersion }, data: { [TRUST_BUNDLE_KEY]: bundle } };
  await api.json({ path, method: 'PATCH', body, deadlineMs: DEADLINE_MS, signal });
}
