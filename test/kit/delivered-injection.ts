/** The webhook of `deploy/kubernetes/injection.yaml` on an API server that has no network of Services: it leads to an agent by its URL. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { parse, parseAllDocuments } from 'yaml';
import type { KubeClient } from './kube-client.ts';

const DELIVERED = join(import.meta.dirname, '../../deploy/kubernetes/injection.yaml');

/** Applies all of it, for an agent whose webhook is at this port of loopback; returns the settings that this agent needs. */
export async function deliverInjection(admin: KubeClient, port: number): Promise<object> {
  const objects = parseAllDocuments(readFileSync(DELIVERED, 'utf8')).map((one) => one.toJS() as KubeObject);
  for (const object of objects) await admin.apply(reachable(object, port));
  const { data } = objects.find(({ kind }) => kind === 'ConfigMap') as unknown as { readonly data: Readonly<Record<string, string>> };
  const settings = parse(data['injection.yaml'] ?? '') as { readonly webhook: object };
  return { ...settings, webhook: { ...settings.webhook, names: ['localhost'], address: '127.0.0.1', port } };
}

function reachable(object: KubeObject, port: number): KubeObject {
  if (object.kind !== 'MutatingWebhookConfiguration') return object;
  const webhooks = object['webhooks'] as readonly { readonly clientConfig: unknown }[];
  return { ...object, webhooks: webhooks.map((one) => ({ ...one, clientConfig: { url: `https://localhost:${port}/inject` } })) };
}
