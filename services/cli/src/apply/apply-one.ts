/** One resource, brought to what its file says: read, compared, written with the resourceVersion that was read. */
import type { Resource } from '@hawser/model/resource.ts';
import { canonicalJson } from '@hawser/runtime/canonical-json.ts';
import type { HubClient } from '../client/hub-client.ts';
import { HubRefusal } from '../client/hub-refusal.ts';
import { type ResourceAddress, resourcePath } from '../client/resource-path.ts';
import type { Manifest } from '../manifest/manifest.ts';

/** What was done to a resource. */
export interface Applied {
  readonly action: 'created' | 'configured' | 'unchanged';
  /** The hub revision of the resource's last write. */
  readonly revision: number;
  /** What the hub's analysis found about it; absent when there is nothing. */
  readonly warnings?: readonly ApplyWarning[];
}

/** One finding of the hub about what was written. */
export interface ApplyWarning {
  /** Such as HW0201: docs/analysis.md explains it. */
  readonly code: string;
  readonly field: string;
  /** With what to do. */
  readonly message: string;
}

/** How to write. */
export interface WriteOptions {
  /** Check everything, store nothing. */
  readonly dryRun: boolean;
  /** Store what refers to services, subsets or regions that are not there (yet). */
  readonly allowUnresolved: boolean;
}

/** Writes one resource. Rejects with `HubRefusal` or `AppError`; repeating it is harmless. */
export async function applyOne(hub: HubClient, manifest: Manifest, options: WriteOptions): Promise<Applied> {
  try {
    return await attempt(hub, manifest, options);
  } catch (error) {
    // Somebody else wrote between our read and our write: read once more. A resourceVersion in the file is the user's own condition.
    const conflict = error instanceof HubRefusal && error.status === 409 && manifest.resource.metadata.resourceVersion === undefined;
    if (!conflict) throw error;
    return attempt(hub, manifest, options);
  }
}

async function attempt(hub: HubClient, manifest: Manifest, options: WriteOptions): Promise<Applied> {
  const address = addressOf(manifest);
  const existing = (await hub.find(resourcePath(address))) as Resource | undefined;
  const query = writeQuery(options);
  const desired = manifest.resource;
  let warnings: readonly ApplyWarning[] = [];
  const onWarnings = (texts: readonly string[]): void => {
    warnings = texts.map(readWarning);
  };
  const found = (): Pick<Applied, 'warnings'> => (warnings.length === 0 ? {} : { warnings });
  if (existing === undefined) {
    const created = await hub.send({
      method: 'POST',
      path: `${resourcePath({ ...address, name: undefined })}${query}`,
      body: desired,
      onWarnings,
    });
    return { action: 'created', revision: revisionOf(created), ...found() };
  }
  if (sameIntent(desired, existing)) return { action: 'unchanged', revision: revisionOf(existing) };
  const { resourceVersion } = existing.metadata;
  const metadata = { ...(resourceVersion === undefined ? {} : { resourceVersion }), ...desired.metadata };
  const stored = (await hub.send({
    method: 'PUT',
    path: `${resourcePath(address)}${query}`,
    body: { ...desired, metadata },
    onWarnings,
  })) as Resource;
  // The hub may fill in defaults; a write that changed nothing keeps its revision.
  return {
    action: !options.dryRun && stored.metadata.resourceVersion === resourceVersion ? 'unchanged' : 'configured',
    revision: revisionOf(stored),
    ...found(),
  };
}

/** `CODE FIELD: MESSAGE`; a dash is the whole resource. */
function readWarning(text: string): ApplyWarning {
  const [, code, field, message] = /^(HW\d{4}) (\S+): (.*)$/s.exec(text) ?? [];
  return { code: code ?? '', field: field === undefined || field === '-' ? '' : field, message: message ?? text };
}

function writeQuery({ dryRun, allowUnresolved }: WriteOptions): string {
  const query = new URLSearchParams({ ...(dryRun ? { dryRun: 'All' } : {}), ...(allowUnresolved ? { allowUnresolved: 'true' } : {}) });
  return query.size === 0 ? '' : `?${query}`;
}

/** Where a manifest's resource lives. */
export function addressOf({ kind, resource }: Manifest): ResourceAddress & { readonly name: string } {
  return { kind, namespace: resource.metadata.namespace, name: resource.metadata.name };
}

function sameIntent(desired: Resource, existing: Resource): boolean {
  const { resourceVersion, labels, annotations } = desired.metadata;
  if (resourceVersion !== undefined && resourceVersion !== existing.metadata.resourceVersion) return false;
  const intent = (spec: unknown, itsLabels: unknown, itsAnnotations: unknown): string =>
    canonicalJson([spec, itsLabels ?? {}, itsAnnotations ?? {}]);
  return intent(desired.spec, labels, annotations) === intent(existing.spec, existing.metadata.labels, existing.metadata.annotations);
}

function revisionOf(resource: unknown): number {
  return Number((resource as Resource).metadata.resourceVersion ?? 0);
}
