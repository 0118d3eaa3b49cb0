/** PURE: an AdmissionReview (admission.k8s.io/v1) → its answer. Whatever is asked, the Pod is allowed: injection never stops a workload. */
import { injectedPod } from '@hawser/model/injection/injected-pod.ts';
import type { InjectionSettings } from '@hawser/model/injection/injection-settings.ts';
import { podPatch } from '@hawser/model/injection/pod-patch.ts';
import type { PodTemplate } from '@hawser/model/injection/pod-template.ts';
import Type from 'typebox';
import { Compile } from 'typebox/compile';

const Review = Compile(
  Type.Object({
    apiVersion: Type.Literal('admission.k8s.io/v1'),
    kind: Type.Literal('AdmissionReview'),
    request: Type.Object({
      uid: Type.String({ minLength: 1, maxLength: 100 }),
      kind: Type.Optional(Type.Object({ group: Type.String(), version: Type.String(), kind: Type.String() })),
      namespace: Type.Optional(Type.String()),
      operation: Type.Optional(Type.String()),
      object: Type.Unknown(),
    }),
  }),
);

/** What the API server is told, and what came of it, for the metric. */
export interface AdmissionAnswer {
  readonly outcome: 'injected' | 'unchanged' | 'skipped';
  readonly review: unknown;
}

/** The API server shows it to whoever made the Pod; longer ones are cut there. */
const MAX_WARNING = 250;

/** The answer; undefined for what is no review, which has no `uid` to be answered by. */
export function answerReview(content: unknown, settings: InjectionSettings): AdmissionAnswer | undefined {
  if (!Review.Check(content)) return undefined;
  const { uid, kind, namespace, operation, object } = content.request;
  if (operation !== 'CREATE' || kind?.kind !== 'Pod' || kind.group !== '')
    return allowed(uid, { warning: `${operation ?? 'nothing'} of ${kind?.kind ?? 'nothing'}: only new Pods are given sidecars` });
  const result = injectedPod(object, settings, namespace);
  if (result.kind === 'unchanged') return allowed(uid, { outcome: 'unchanged' });
  if (result.kind === 'skipped') return allowed(uid, result.asked ? {} : { warning: `no sidecar was added: ${result.reason}` });
  const patch = Buffer.from(JSON.stringify(podPatch(object as PodTemplate, result.pod))).toString('base64');
  return allowed(uid, { outcome: 'injected', patch });
}

interface Allowed {
  readonly outcome?: AdmissionAnswer['outcome'];
  readonly warning?: string;
  /** Base64 of a JSON Patch. */
  readonly patch?: string;
}

function allowed(uid: string, { outcome = 'skipped', warning, patch }: Allowed): AdmissionAnswer {
  const response = {
    ...{ uid, allowed: true },
    ...(warning === undefined ? {} : { warnings: [`hawser: ${warning}`.slice(0, MAX_WARNING)] }),
    ...(patch === undefined ? {} : { patchType: 'JSONPatch', patch }),
  };
  return { outcome, review: { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response } };
}
