/** Names the Pods that should have a sidecar, or another one: those that were there before, or came while no agent answered. */
import { counted } from '@hawser/model/counted.ts';
import { leftOut } from '@hawser/model/injection/injected-pod.ts';
import { INJECT_LABEL, REVISION_LABEL, SIDECAR_LABEL } from '@hawser/model/injection/injection-names.ts';
import type { InjectionSettings } from '@hawser/model/injection/injection-settings.ts';
import { PodTemplate } from '@hawser/model/injection/pod-template.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type ApiRequest, isForbidden, wayOut } from '../discover/kubernetes/api-client.ts';

type LeavesOut = Pick<InjectionSettings, 'ignoredNamespaces' | 'revision' | 'proxyUser'>;

/** What it works with. */
export interface RestartHintsParts {
  readonly api: { json(request: ApiRequest): Promise<unknown> };
  /** What says which Pods are left out. */
  readonly settings: LeavesOut;
  /** The label that a Pod made now would have (`sidecarMark`). */
  readonly mark: () => string;
  /** All that is to be said now. What could not be asked leaves what was said before, but for a right that is missing. */
  readonly onHints: (hints: readonly string[]) => void;
  readonly signal: AbortSignal;
  /** Milliseconds between two looks; 30 s unless given. */
  readonly everyMs?: number;
}

const StringMap = Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]));
const Meta = Type.Object({
  name: Type.String(),
  labels: StringMap,
  annotations: StringMap,
  deletionTimestamp: Type.Optional(Type.String()),
});
const Namespaces = Compile(Type.Object({ items: Type.Array(Type.Object({ metadata: Meta })) }));
const Pod = Type.Object({ metadata: Meta, spec: PodTemplate.properties.spec });
const Pods = Compile(Type.Object({ metadata: Type.Object({ continue: Type.Optional(Type.String()) }), items: Type.Array(Pod) }));
/** A Pod as it is looked at. */
export type ListedPod = Static<typeof Pod>;

const EVERY_MS = 30_000;
const DEADLINE_MS = 10_000;
/** Of a namespace; beyond it, "at least". */
const MOST_PODS = 200;
const MOST_NAMESPACES = 500;
const SHOWN = 3;

/** Asks now and again until the signal. */
export async function followRestartHints(parts: RestartHintsParts): Promise<void> {
  const { signal, onHints, everyMs = EVERY_MS } = parts;
  while (!signal.aborted) {
    const hints = await restartHints(parts).catch(unasked);
    if (hints !== undefined && !signal.aborted) onHints(hints);
    await sleep(everyMs * (0.8 + 0.4 * Math.random()), signal);
  }
}

const RIGHT_BY = 'upgrade the chart hawser-agent, or apply deploy/kubernetes/injection.yaml';

function unasked(error: unknown): readonly string[] | undefined {
  return isForbidden(error) ? [`which Pods lack a sidecar is not known: ${messageOf(error)}${wayOut(error, RIGHT_BY)}`] : undefined;
}

/** One look: of every labelled namespace, the Pods without the label of now. In a cluster where all is well nothing but names is sent. */
export async function restartHints(parts: Omit<RestartHintsParts, 'onHints'>): Promise<readonly string[]> {
  const { api, signal, mark, settings } = parts;
  const query = { labelSelector: `${INJECT_LABEL}=enabled`, resourceVersion: '0' };
  const found = await api.json({ path: '/api/v1/namespaces', query, deadlineMs: DEADLINE_MS, signal });
  if (!Namespaces.Check(found)) throw new Error('the answer is no list of Namespaces');
  const own = found.items.filter(({ metadata }) => (metadata.labels?.[REVISION_LABEL] ?? 'default') === settings.revision);
  const names = own.map(({ metadata }) => metadata.name).filter((name) => !settings.ignoredNamespaces.includes(name));
  const hints: string[] = [];
  for (const namespace of names.sort().slice(0, MOST_NAMESPACES)) {
    const labelSelector = `${SIDECAR_LABEL}!=${mark()},${INJECT_LABEL}!=false`;
    const listing = { labelSelector, fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed', limit: String(MOST_PODS) };
    const pods = await api.json({ path: `/api/v1/namespaces/${namespace}/pods`, query: listing, deadlineMs: DEADLINE_MS, signal });
    if (!Pods.Check(pods)) throw new Error('the answer is no list of Pods');
    hints.push(...hintsOf(namespace, pods.items, { settings, isAll: !pods.metadata.continue }));
  }
  const beyond = names.length - MOST_NAMESPACES;
  if (beyond > 0)
    hints.push(
      `${counted(beyond, 'namespace')} beyond the first ${MOST_NAMESPACES} by name: it is not known whether Pods there have their sidecars`,
    );
  return hints;
}

/** PURE: what is said of a namespace. */
export function hintsOf(
  namespace: string,
  pods: readonly ListedPod[],
  { settings, isAll }: { readonly settings: LeavesOut; readonly isAll: boolean },
): string[] {
  // A Pod that would be left out again is none that a restart helps.
  const meant = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined && leftOut(pod, settings, namespace) === undefined);
  const without = meant.filter(({ metadata }) => metadata.labels?.[SIDECAR_LABEL] === undefined);
  const older = meant.filter(({ metadata }) => metadata.labels?.[SIDECAR_LABEL] !== undefined);
  const wayOut = `kubectl -n ${namespace} rollout restart deployments,statefulsets,daemonsets (what has no owner has to be made anew)`;
  const said = (all: readonly ListedPod[], what: string): string[] => {
    if (all.length === 0) return [];
    const names = all.map(({ metadata }) => metadata.name).sort();
    const more = names.length > SHOWN ? ', …' : '';
    const count = `${isAll ? '' : 'at least '}${counted(names.length, 'Pod')}`;
    return [`namespace ${namespace}: ${count} ${what} (${names.slice(0, SHOWN).join(', ')}${more}): ${wayOut}`];
  };
  return [...said(without, 'without a sidecar'), ...said(older, 'with a sidecar of other settings')];
}
