/** What proposed writes would do to what is stored: every write is done dry, with all its checks. */
import { type FieldChange, fieldChanges } from '@hawser/model/field-diff.ts';
import { type KindDescriptor, kindNamed } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { unifiedDiff } from '@hawser/model/unified-diff.ts';
import type { DiffBody, ResourceDifference } from '@hawser/wire/hub-api.ts';
import { stringify } from 'yaml';
import { StatusError, statusOf } from '../http/status.ts';
import type { ResourceService, Target } from '../resource/resource-service.ts';

/** One proposed write: the resource as stored, and as it would be. */
export interface Planned {
  readonly kind: KindDescriptor | undefined;
  readonly before: Resource | undefined;
  readonly after: Resource | undefined;
  readonly difference: ResourceDifference;
}

/** Plans every write by itself, in the order given; one that would be refused says why and changes nothing. */
export async function planWrites(resources: ResourceService, body: DiffBody, actor: string): Promise<readonly Planned[]> {
  const planned: Planned[] = [];
  for (const proposed of body.resources ?? []) planned.push(await planOne(resources, { ...named(proposed), proposed }, actor));
  for (const { kind, namespace = '', name } of body.delete ?? []) planned.push(await planOne(resources, { kind, namespace, name }, actor));
  return planned;
}

interface Proposal {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Undefined: to be deleted. */
  readonly proposed?: unknown;
}

async function planOne(resources: ResourceService, proposal: Proposal, actor: string): Promise<Planned> {
  const { namespace, name, proposed } = proposal;
  const kind = kindNamed(proposal.kind);
  const subject = { kind: kind?.kind ?? proposal.kind, namespace, name };
  try {
    if (kind === undefined) throw new StatusError('BadRequest', `${JSON.stringify(proposal.kind)} is no kind of this hub`);
    const target = { kind, namespace: kind.namespaced ? namespace : '', name };
    const before = await find(resources, target);
    const options = { dryRun: true, allowUnresolved: true, actor };
    if (proposed === undefined) {
      if (before !== undefined) await resources.remove(target, options);
      return { kind, before, after: undefined, difference: { ...subject, ...compared(before, undefined) } };
    }
    const after =
      before === undefined ? await resources.create(target, proposed, options) : await resources.replace(target, proposed, options);
    return { kind, before, after, difference: { ...subject, ...compared(before, after) } };
  } catch (error) {
    const { code, reason, message, details } = statusOf(error);
    if (code >= 500) throw error;
    const { causes } = details;
    const refusal = { reason, message, details: causes === undefined ? {} : { causes: [...causes] } };
    const difference: ResourceDifference = { ...subject, action: 'refused', fields: [], text: '', error: refusal };
    return { kind, before: undefined, after: undefined, difference };
  }
}

async function find(resources: ResourceService, target: Target): Promise<Resource | undefined> {
  try {
    return await resources.get(target);
  } catch (error) {
    if (error instanceof StatusError && error.reason === 'NotFound') return undefined;
    throw error;
  }
}

function compared(before: Resource | undefined, after: Resource | undefined): Pick<ResourceDifference, 'action' | 'fields' | 'text'> {
  const [old, now] = [intentOf(before), intentOf(after)];
  const fields: FieldChange[] = [...fieldChanges(old, now)];
  const title = (when: string, one: unknown): string => (one === undefined ? '/dev/null' : when);
  const text = unifiedDiff(yamlOf(old), yamlOf(now), { before: title('stored', old), after: title('proposed', now) });
  const action = fields.length === 0 ? 'none' : before === undefined ? 'create' : after === undefined ? 'delete' : 'replace';
  return { action, fields, text };
}

/** What a writer decides of a resource. */
function intentOf(resource: Resource | undefined): unknown {
  if (resource === undefined) return undefined;
  const { name, namespace, labels, annotations } = resource.metadata;
  const metadata = { name, ...(namespace && { namespace }), ...(labels && { labels }), ...(annotations && { annotations }) };
  return { apiVersion: resource.apiVersion, kind: resource.kind, metadata, spec: resource.spec };
}

function yamlOf(value: unknown): string {
  return value === undefined ? '' : stringify(value, { lineWidth: 0, sortMapEntries: true });
}

function named(proposed: unknown): Omit<Proposal, 'proposed'> {
  const { kind, metadata } = (proposed ?? {}) as { readonly kind?: unknown; readonly metadata?: unknown };
  const { namespace, name } = (metadata ?? {}) as { readonly namespace?: unknown; readonly name?: unknown };
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return { kind: text(kind), namespace: text(namespace), name: text(name) };
}
