/** Which documents each cluster gets. Pure: the same desired state in any order gives the same bytes. */
import { bareName, ownerOf } from '@hawser/model/adoption.ts';
import type { ExternalTrustDomain, Roster, RosterMember } from '@hawser/model/fleet.ts';
import { CLUSTERS_ANNOTATION, KINDS, type KindDescriptor } from '@hawser/model/kinds.ts';
import { matchesSelector, parseLabelSelector } from '@hawser/model/label-selector.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { policyKey, ROSTER_KEY, TRUST_KEY } from '@hawser/wire/subjects.ts';
import type { TrustOrder } from '@hawser/wire/trust.ts';
import { type AdoptedIndex, adoptedIn, isDisplaced } from './adopted.ts';
import { specInForce } from './spec-in-force.ts';

/** The part of the desired state that decides placement. */
export interface PlacementInput {
  readonly resources: Iterable<Resource>;
  readonly members: Iterable<RosterMember>;
  /** What each cluster was told last of the rotation of its authority. */
  readonly orders?: ReadonlyMap<string, TrustOrder> | undefined;
  readonly external?: readonly ExternalTrustDomain[] | undefined;
}

/** What decides whether a policy goes to a member. */
export type PlacedMember = Pick<RosterMember, 'name' | 'region' | 'zone' | 'provider' | 'labels'>;

/** Document key → body. */
export type Documents = ReadonlyMap<string, unknown>;

/** Every member's documents by its name: the roster, its own trust order, and the policies whose `hawser.dev/clusters` selects it (default: all); what a cluster owns goes before the hub's. */
export function place(input: PlacementInput): ReadonlyMap<string, Documents> {
  const members = [...input.members].sort((a, b) => compare(a.name, b.name));
  const external = input.external ?? [];
  const roster: Roster = Object.freeze(external.length === 0 ? { members } : { members, external: [...external] });
  const placed = new Map(members.map((member) => [member.name, new Map<string, unknown>([[ROSTER_KEY, roster]])]));
  for (const [cluster, order] of input.orders ?? []) placed.get(cluster)?.set(TRUST_KEY, order);
  const resources = [...input.resources];
  const adopted = adoptedIn(resources);
  for (const resource of resources) {
    const kind = POLICY_KINDS.get(resource.kind);
    if (kind === undefined) continue;
    const body = policyBody(resource);
    if (body === undefined) continue;
    const key = documentKey(kind, resource);
    const selects = selectorOf(resource);
    for (const member of members)
      if (selects(member) && !isDisplaced(resource, member.name, adopted)) placed.get(member.name)?.set(key, body);
  }
  return new Map([...placed].map(([name, documents]) => [name, sorted(documents)]));
}

/** A resource before and after a write; undefined where it is not there. */
export interface ResourceChange {
  readonly before: Resource | undefined;
  readonly after: Resource | undefined;
}

/** Document key → body, null for one that goes. */
export type DocumentChanges = ReadonlyMap<string, unknown>;

/** The state after changes, as far as what is not among them matters. */
export interface StateAfter {
  readonly adopted: AdoptedIndex;
  find(kind: string, namespace: string, name: string): Resource | undefined;
}

const NOTHING_ELSE: StateAfter = { adopted: new Map(), find: () => undefined };

/**
 * What changes of resources do to a placement among the same members, by cluster: applied to `place` of the state before they give
 * `place` of the state after. Work is proportional to the changes.
 */
export function placementChanges(
  changes: Iterable<ResourceChange>,
  members: readonly RosterMember[],
  state: StateAfter = NOTHING_ELSE,
): ReadonlyMap<string, DocumentChanges> {
  const changed = new Map<string, Map<string, unknown>>();
  for (const { before, after } of changes) {
    const resource = after ?? before;
    const kind = resource === undefined ? undefined : POLICY_KINDS.get(resource.kind);
    if (resource === undefined || kind === undefined) continue;
    const key = documentKey(kind, resource);
    const was = isPlaced(before) ? selectorOf(before) : nowhere;
    const is = isPlaced(after) ? selectorOf(after) : nowhere;
    for (const member of members) {
      if (isDisplaced(resource, member.name, state.adopted)) continue;
      const body = after !== undefined && is(member) ? policyBody(after) : instead(resource, member, state);
      if (body === null && !was(member)) continue;
      const documents = changed.get(member.name) ?? new Map<string, unknown>();
      changed.set(member.name, documents.set(key, body));
    }
  }
  return changed;
}

/** What goes to a member in place of what is not there, or no longer: the hub's own, where the member's is given up. */
function instead(gone: Resource, member: RosterMember, { find }: StateAfter): unknown {
  const owner = ownerOf(gone.metadata.name);
  if (owner?.cluster !== member.name) return null;
  const own = find(gone.kind, gone.metadata.namespace ?? '', owner.name);
  return isPlaced(own) && isPlacedOn(own, member) ? policyBody(own) : null;
}

/** Of policies those that are in force for a member: what it owns goes before what the hub has of the same name. */
export function policiesOn(policies: readonly Resource[], member: RosterMember): readonly Resource[] {
  const placed = policies.filter((policy) => isPlacedOn(policy, member));
  const adopted = adoptedIn(placed);
  return placed.filter((policy) => !isDisplaced(policy, member.name, adopted));
}

/** By which a policy's document is known at its clusters. */
function documentKey(kind: KindDescriptor, { metadata }: Resource): string {
  return policyKey(kind.plural, metadata.namespace ?? '', bareName(metadata.name));
}

/** Whether a policy goes to a member. One whose selector cannot be read goes nowhere: writes refuse it, so it was never placed. */
export function isPlacedOn(resource: Pick<Resource, 'metadata'>, member: PlacedMember): boolean {
  return selectorOf(resource)(member);
}

/** The labels that selectors see: a cluster's own, and its name (as `cluster` and `name`), region, zone and provider, which win. */
export function placementLabels(member: PlacedMember): Readonly<Record<string, string>> {
  const { name, region, zone, provider } = member;
  return { ...member.labels, cluster: name, name, region, ...(zone === '' ? {} : { zone }), ...(provider === '' ? {} : { provider }) };
}

/** The kinds that are placed, by name. */
const POLICY_KINDS: ReadonlyMap<string, KindDescriptor> = new Map(KINDS.filter((kind) => kind.policy).map((kind) => [kind.kind, kind]));

/** A resource that is placed again is the same document: whoever compares two placements need not look inside. */
const bodies = new WeakMap<Resource, unknown>();

/** The document of a policy: what agents get of it; undefined when they get nothing yet. */
export function policyBody(resource: Resource): unknown {
  const known = bodies.get(resource);
  if (known !== undefined) return known;
  const spec = specInForce(resource);
  if (spec === undefined) return undefined;
  const body = Object.freeze(makeBody(resource, spec));
  bodies.set(resource, body);
  return body;
}

/** The policy without what changes though its meaning does not: equal policies give equal bytes. */
function makeBody(resource: Resource, spec: unknown): unknown {
  const { name, namespace, creationTimestamp, labels, annotations } = resource.metadata;
  return {
    apiVersion: resource.apiVersion,
    kind: resource.kind,
    metadata: { name: bareName(name), namespace, creationTimestamp, labels, annotations },
    spec,
  };
}

function isPlaced(resource: Resource | undefined): resource is Resource {
  return resource !== undefined && specInForce(resource) !== undefined;
}

const nowhere = (): boolean => false;

function selectorOf(resource: Pick<Resource, 'metadata'>): (member: PlacedMember) => boolean {
  const text = resource.metadata.annotations?.[CLUSTERS_ANNOTATION];
  if (text === undefined) return () => true;
  const selector = parseLabelSelector(text);
  return 'problem' in selector ? () => false : (member) => matchesSelector(selector, placementLabels(member));
}

function sorted(documents: ReadonlyMap<string, unknown>): Documents {
  return new Map([...documents].sort(([a], [b]) => compare(a, b)));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
