/**
 * What becomes of the policy that a cluster has: which of it comes into force, which goes, and what is said of each object. PURE.
 * Nothing goes by silence: only by a setting, or by the word of an agent that has read the kind whole with the present setting.
 */
import { ADOPTABLE, adoptedName, ownerOf } from '@hawser/model/adoption.ts';
import { CLUSTERS_ANNOTATION, type KindDescriptor } from '@hawser/model/kinds.ts';
import { type MemberPolicies, modeOf } from '@hawser/model/policy-mode.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import { validateResource } from '@hawser/model/validate.ts';
import { canonicalJson } from '@hawser/runtime/canonical-json.ts';
import type { FoundPolicies, FoundPolicy, FoundState } from '@hawser/wire/found-policies.ts';
import type { ResourceRow } from '../db/schema.ts';

/** What is said of one object. */
export interface FoundRow {
  readonly cluster: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly state: FoundState;
  readonly reason: string;
  readonly resource: Resource | null;
}

/** One cluster's case. */
export interface AdoptionInput {
  readonly cluster: string;
  /** Its setting; undefined where it is no member any more. */
  readonly policies: MemberPolicies | undefined;
  /** What its agent said last; undefined while that is not known. */
  readonly account: FoundPolicies | undefined;
  /** What is in force of it. */
  readonly adopted: readonly ResourceRow[];
  /** What was said of its objects before. */
  readonly found: readonly FoundRow[];
  /** The hub's own resource of this name that goes to the cluster. */
  hubOwn(kind: string, namespace: string, name: string): Resource | undefined;
}

/** One write that is due. */
export type AdoptionWrite =
  | { readonly action: 'create'; readonly resource: Resource; readonly reason: string }
  | { readonly action: 'update'; readonly row: ResourceRow; readonly resource: Resource; readonly reason: string }
  | { readonly action: 'delete'; readonly row: ResourceRow; readonly reason: string };

/** All that is due, and all that is to be said. */
export interface AdoptionPlan {
  readonly writes: readonly AdoptionWrite[];
  readonly found: readonly FoundRow[];
}

const KIND: ReadonlyMap<string, KindDescriptor> = new Map(ADOPTABLE.map((kind) => [kind.kind, kind]));
const MAX_REASON = 1_000;
/** What a shift in steps, or one that overrides rules, needs is the hub's: an operator who answers for it. */
const HUBS_OWN_FIELDS = ['steps', 'overrideSafetyRules'];

/** The plan of one cluster. */
export function adoptionPlan(input: AdoptionInput): AdoptionPlan {
  const { cluster, policies, account } = input;
  const rows = new Map(input.adopted.map((row) => [resourceKey(row.kind, row.namespace, ownerOf(row.name)?.name ?? ''), row]));
  const known = new Map(input.found.map((row) => [resourceKey(row.kind, row.namespace, row.name), row]));
  const writes: AdoptionWrite[] = [];
  const found = new Map<string, FoundRow>();
  for (const object of account?.objects ?? []) {
    if (modeOf(policies, object.namespace) === 'Off') continue;
    const key = resourceKey(object.kind, object.namespace, object.name);
    const { row, write } = judged(object, rows.get(key), input);
    found.set(key, row);
    if (write !== undefined) writes.push(write);
  }
  for (const { kind, namespace, name, reason } of account?.omitted ?? []) {
    const key = resourceKey(kind, namespace, name);
    if (modeOf(policies, namespace) === 'Off' || !KIND.has(kind)) continue;
    found.set(key, {
      ...(known.get(key) ?? nameless(cluster, { kind, namespace, name })),
      state: 'Refused',
      reason: withStanding(reason, rows.has(key)),
    });
  }
  const isGone = goneBy(input);
  for (const [key, before] of known)
    if (!found.has(key) && modeOf(policies, before.namespace) !== 'Off' && !isGone(before.kind)) found.set(key, kept(before, input));
  for (const [key, row] of rows) {
    const mode = modeOf(policies, row.namespace);
    if (mode !== 'Authoritative')
      writes.push({ action: 'delete', row, reason: givenUp(row, cluster, policies === undefined ? undefined : mode) });
    else if (!found.has(key) && isGone(row.kind)) writes.push({ action: 'delete', row, reason: `${cluster} has deleted it` });
  }
  return { writes, found: [...found.values()] };
}

/** Whether what an account does not name is gone: it must be of the present setting, have read the kind, and name all it left out. */
function goneBy({ policies, account }: AdoptionInput): (kind: string) => boolean {
  if (account === undefined || account.omittedMore > 0 || canonicalJson(account.policies) !== canonicalJson(policies ?? {}))
    return () => false;
  const followed = new Set(account.kinds.filter(({ state }) => state === 'FOLLOWED').map(({ kind }) => kind));
  return (kind) => followed.has(kind);
}

/** What was found before and is not known now: its mode may be another all the same. */
function kept(before: FoundRow, { policies }: AdoptionInput): FoundRow {
  const isReadOnly = modeOf(policies, before.namespace) === 'ReadOnly';
  return isReadOnly && before.state !== 'Refused' ? { ...before, state: 'ReadOnly', reason: '' } : before;
}

function judged(
  object: FoundPolicy,
  row: ResourceRow | undefined,
  input: AdoptionInput,
): { readonly row: FoundRow; readonly write?: AdoptionWrite } {
  const { cluster, policies } = input;
  const { kind, namespace, name, uid, generation } = object;
  const base = { ...nameless(cluster, { kind, namespace, name }), uid: clean(uid), generation };
  const resource = resourceOf(object);
  if (typeof resource === 'string') return { row: { ...base, state: 'Refused', reason: withStanding(resource, row !== undefined) } };
  const known = { ...base, resource };
  const own = input.hubOwn(kind, namespace, name);
  const rival = `the hub has a ${kind} ${namespace}/${name} that goes to ${cluster}`;
  if (modeOf(policies, namespace) === 'ReadOnly')
    return { row: { ...known, state: 'ReadOnly', reason: own === undefined ? '' : `${rival}: this one would be a Conflict` } };
  const said = `generation ${generation} of ${kind} ${namespace}/${name} in ${cluster}`;
  const adopted = adoptedForm(resource, cluster);
  if (row !== undefined) {
    return { row: { ...known, state: 'Adopted', reason: '' }, write: { action: 'update', row, resource: adopted, reason: said } };
  }
  if (own === undefined)
    return { row: { ...known, state: 'Adopted', reason: '' }, write: { action: 'create', resource: adopted, reason: said } };
  const way = `delete it there, keep it from ${cluster} by its annotation ${CLUSTERS_ANNOTATION}, or delete this one`;
  const reason = `${rival} and was there first: ${way}`;
  return { row: { ...known, state: 'Conflict', reason } };
}

/** What an object would be if it came into force now; undefined where it is no resource that can be used. */
export function adoptable(object: FoundPolicy, cluster: string, now: Date): Resource | undefined {
  const resource = resourceOf(object);
  if (typeof resource === 'string') return undefined;
  const { metadata, ...form } = adoptedForm(resource, cluster);
  return { ...form, metadata: { ...metadata, creationTimestamp: now.toISOString() } };
}

/** The resource that an object stands for, or why it is none. */
function resourceOf({ apiVersion, kind, namespace, name, labels, annotations, spec }: FoundPolicy): Resource | string {
  const descriptor = KIND.get(kind);
  if (descriptor === undefined) return `${kind} is no kind that a cluster may have its own of`;
  const metadata = { name, namespace, ...(labels === undefined ? {} : { labels }), ...(annotations === undefined ? {} : { annotations }) };
  const result = validateResource({ apiVersion, kind, metadata, spec }, descriptor);
  if ('issues' in result) {
    const [first] = result.issues;
    const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : '';
    return `${first?.path ?? ''} ${first?.message ?? 'it cannot be used'}${more}`;
  }
  const field = kind === 'TrafficShift' ? HUBS_OWN_FIELDS.find((one) => Object.hasOwn(spec as object, one)) : undefined;
  return field === undefined ? result.resource : `spec.${field} is for shifts that are written at the hub: apply it there`;
}

/** As it is kept among the hub's resources: by the name that says whose it is, and for its cluster alone. */
function adoptedForm(resource: Resource, cluster: string): Resource {
  const { metadata } = resource;
  const annotations = { ...metadata.annotations, [CLUSTERS_ANNOTATION]: `cluster=${cluster}` };
  return { ...resource, metadata: { ...metadata, name: adoptedName(metadata.name, cluster), annotations } };
}

function nameless(cluster: string, place: Pick<FoundRow, 'kind' | 'namespace' | 'name'>): FoundRow {
  const { kind, namespace, name } = place;
  const named = { cluster, kind: clean(kind), namespace: clean(namespace), name: clean(name) };
  return { ...named, uid: '', generation: 0, state: 'Refused', reason: '', resource: null };
}

/** The cluster goes on with what it had before, if it had something. */
function withStanding(reason: string, stands: boolean): string {
  return clean(stands ? `${reason}; what was adopted before stays in force` : reason, MAX_REASON);
}

function givenUp({ namespace }: ResourceRow, cluster: string, mode: string | undefined): string {
  return mode === undefined ? `${cluster} is no member any more` : `policies of namespace ${namespace} are ${mode} in ${cluster}`;
}

/** Text that PostgreSQL takes. */
function clean(text: string, most = 253): string {
  return text.replaceAll('\0', '').toWellFormed().slice(0, most).toWellFormed();
}
