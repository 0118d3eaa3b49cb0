/** Keeps the CA of the webhook's certificate where API servers look for it: `caBundle` of the MutatingWebhookConfiguration. */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { ApiRequest } from '../discover/kubernetes/api-client.ts';
import { keepField } from '../discover/kubernetes/kept-field.ts';

/** What it works with. */
export interface CaBundleParts {
  readonly api: { json(request: ApiRequest): Promise<unknown> };
  /** Name of the MutatingWebhookConfiguration. */
  readonly configuration: string;
  /** Names that are the agent's own: entries that lead elsewhere are left alone. */
  readonly names: readonly string[];
  /** PEM of this moment. */
  readonly bundle: () => string;
  /** Why it could not be done; undefined when all is well. */
  readonly onProblem: (problem: string | undefined) => void;
  readonly signal: AbortSignal;
  /** Milliseconds between two looks; a minute unless given. */
  readonly everyMs?: number;
}

const Configuration = Type.Object({
  metadata: Type.Object({ resourceVersion: Type.String() }),
  webhooks: Type.Optional(
    Type.Array(
      Type.Object({
        clientConfig: Type.Object({
          caBundle: Type.Optional(Type.String()),
          url: Type.Optional(Type.String()),
          service: Type.Optional(Type.Object({ name: Type.String(), namespace: Type.String() })),
        }),
      }),
    ),
  ),
});
/** A MutatingWebhookConfiguration, as far as it is looked at. */
export type WebhookConfiguration = Static<typeof Configuration>;
const shape = Compile(Configuration);

const DEADLINE_MS = 5_000;

/** Keeps it; the returned function has it looked at now. */
export function keepCaBundle(parts: CaBundleParts): () => void {
  const onProblem = (problem: string | undefined): void => {
    const what = `the CA of MutatingWebhookConfiguration ${parts.configuration} could not be set, so that no sidecars are added`;
    parts.onProblem(problem === undefined ? undefined : `${what}: ${problem}`);
  };
  return keepField({ ...parts, onProblem, put: () => putCaBundle(parts) });
}

async function putCaBundle({ api, configuration, names, bundle, signal }: CaBundleParts): Promise<void> {
  const path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${configuration}`;
  const found = await api.json({ path, deadlineMs: DEADLINE_MS, signal });
  if (!shape.Check(found)) throw new Error('the answer is no MutatingWebhookConfiguration');
  const body = caBundlePatch(found, names, Buffer.from(bundle()).toString('base64'));
  if (body !== undefined) await api.json({ path, method: 'PATCH', body, deadlineMs: DEADLINE_MS, signal });
}

/** PURE: the merge patch (RFC 7396: lists whole, so against this version alone); undefined where nothing differs. Throws when no entry is ours. */
export function caBundlePatch({ metadata, webhooks = [] }: WebhookConfiguration, names: readonly string[], caBundle: string): unknown {
  const isOurs = ({ clientConfig }: (typeof webhooks)[number]): boolean => names.includes(hostOf(clientConfig));
  if (!webhooks.some(isOurs)) throw new Error(`none of its webhooks leads to ${names.join(' or ')}`);
  if (webhooks.every((one) => !isOurs(one) || one.clientConfig.caBundle === caBundle)) return undefined;
  const next = webhooks.map((one) => (isOurs(one) ? { ...one, clientConfig: { ...one.clientConfig, caBundle } } : one));
  return { metadata: { resourceVersion: metadata.resourceVersion }, webhooks: next };
}

function hostOf({ service, url }: NonNullable<WebhookConfiguration['webhooks']>[number]['clientConfig']): string {
  return service === undefined ? (URL.parse(url ?? '')?.hostname ?? '') : `${service.name}.${service.namespace}.svc`;
}
