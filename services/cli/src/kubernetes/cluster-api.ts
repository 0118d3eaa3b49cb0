/** A cluster's API server, as the command line asks it: what it serves, and objects made what they should be (server-side apply). */

import { kubeconfigAccess } from '@hawser/agent/discover/kubernetes/api-access.ts';
import { ApiClient, ApiRefusal, type ApiRequest } from '@hawser/agent/discover/kubernetes/api-client.ts';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { execCredential } from './exec-credential.ts';

/** Which cluster: flags of the command line. */
export interface ClusterFlags {
  readonly kubeconfig: string;
  readonly context?: string;
}

interface Resource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** What applied fields belong to; a later run may change them, and nobody else's are taken. */
export const FIELD_MANAGER = 'hawser';
const DEADLINE_MS = 20_000;

/** Asks one API server. Every answer has a deadline of 20 s. */
export class ClusterApi {
  readonly #client: ApiClient;
  /** What it serves, by group and version. */
  readonly #resources = new Map<string, readonly Resource[]>();

  constructor({ kubeconfig, context }: ClusterFlags) {
    this.#client = new ApiClient(kubeconfigAccess(kubeconfig, context, execCredential));
  }

  /** Its URL. */
  get server(): string {
    return this.#client.server;
  }

  /** An answer, parsed; throws `ApiRefusal`, or `kubernetes-unreachable` that names the server. */
  ask<Answer>(path: string, { method, body, query }: Pick<ApiRequest, 'method' | 'body' | 'query'> = {}): Promise<Answer> {
    const parts = { ...(method && { method }), ...(query && { query }), ...(body === undefined ? {} : { body }) };
    return this.#client.json({ path, deadlineMs: DEADLINE_MS, ...parts }) as Promise<Answer>;
  }

  /** The answer; undefined when there is nothing at the path. */
  async find<Answer>(path: string): Promise<Answer | undefined> {
    return missingIsNone(this.ask<Answer>(path));
  }

  /** Makes the object what this says, whether it is there or not; with `dryRun` the server judges it and keeps nothing. Returns what it is then. */
  async apply(object: KubeObject, { dryRun = false } = {}): Promise<KubeObject> {
    const query = { fieldManager: FIELD_MANAGER, force: 'true', fieldValidation: 'Strict', ...(dryRun ? { dryRun: 'All' } : {}) };
    return this.ask(await this.pathOf(object), { method: 'APPLY', body: object, query });
  }

  /** The objects of a kind that have this label, in a namespace or, without one, in all; none where the kind is not served. */
  async list(
    apiVersion: string,
    kind: string,
    { label, namespace }: { label: string; namespace?: string },
  ): Promise<readonly KubeObject[]> {
    const base = baseOf(apiVersion);
    const resource = (await this.#served(base)).find((one) => one.kind === kind);
    if (resource === undefined) return [];
    const path = `${base}${resource.namespaced && namespace !== undefined ? `/namespaces/${namespace}` : ''}/${resource.name}`;
    const { items } = await this.ask<{ readonly items: readonly KubeObject[] }>(path, { query: { labelSelector: label } });
    return items.map((item) => ({ ...item, apiVersion, kind })); // lists leave these out
  }

  /** Deletes this very object, as it was found; nothing where it is gone. What it owns goes after it. */
  async remove(object: KubeObject): Promise<void> {
    const preconditions = { uid: object.metadata.uid };
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background', preconditions };
    await missingIsNone(this.ask(await this.pathOf(object), { method: 'DELETE', body }));
  }

  /** Where the object is, by what the server serves; throws `not-served` for a kind that it does not have. */
  async pathOf({ apiVersion, kind, metadata }: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): Promise<string> {
    const base = baseOf(apiVersion);
    const resource = (await this.#served(base)).find((one) => one.kind === kind);
    if (resource === undefined)
      throw new AppError(
        'not-served',
        `${this.server} serves no ${kind} of ${apiVersion}: install its CustomResourceDefinition first, or leave it out`,
      );
    return `${base}${resource.namespaced ? `/namespaces/${metadata.namespace ?? 'default'}` : ''}/${resource.name}/${metadata.name}`;
  }

  /** Closes what is open. */
  close(): void {
    this.#client.close();
  }

  /** Kinds that came since are found: only what is known to be there is remembered. */
  async #served(base: string): Promise<readonly Resource[]> {
    const known = this.#resources.get(base);
    if (known !== undefined) return known;
    const { resources = [] } = (await this.find<{ readonly resources?: readonly Resource[] }>(base)) ?? {};
    const whole = resources.filter(({ name }) => !name.includes('/'));
    if (whole.length > 0) this.#resources.set(base, whole);
    return whole;
  }
}

function baseOf(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

async function missingIsNone<Answer>(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiRefusal && error.status === 404) return undefined;
    throw error;
  }
}
