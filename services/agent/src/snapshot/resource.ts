/** Encoded xDS resources and where they apply. */
import type { XdsType } from '@hawser/wire/messages.ts';

/** One resource, encoded once; the same bytes go to every proxy. */
export interface XdsResource {
  readonly type: XdsType;
  readonly name: string;
  /** Content hash: hex SHA-256 of `bytes`, first 16 digits (for EDS with its cluster's version folded in). */
  readonly version: string;
  /** The resource message in protobuf binary (what goes into `Any.value`). */
  readonly bytes: Uint8Array;
  /** The same bytes in pieces that other versions share, for who can do without `bytes`, which then are joined at their first use. */
  readonly pieces?: readonly Uint8Array[];
  /** A cluster that knows its servers without an assignment: it resolves them, or its callers name them. */
  readonly hasServers?: true;
  /** Clusters that routes only send copies of requests to. */
  readonly copiesTo?: readonly string[];
}

/** Length of the resource message in bytes; nothing is joined for it. */
export function sizeOf(resource: XdsResource): number {
  return resource.pieces?.reduce((size, piece) => size + piece.length, 0) ?? resource.bytes.length;
}

/**
 * Who gets a resource: `sidecar` and `gateway` are shared by all proxies of the role; `sidecar:ADDRESS`, `gateway:ADDRESS` and
 * `edge:ADDRESS` belong to the proxy at that address; `scope:NAMESPACE:HASH` is shared by proxies that policy tells apart from
 * others (decision 0017). A proxy sees its own layer and those that it reads: its role's unless a change says otherwise. An edge
 * proxy calls services as sidecars do and reads their layer.
 */
export type LayerName = 'sidecar' | 'gateway' | `sidecar:${string}` | `gateway:${string}` | `edge:${string}` | `scope:${string}`;

/** The layer that belongs to one proxy. */
export function ownLayer({ role, address }: { readonly role: 'sidecar' | 'gateway' | 'edge'; readonly address: string }): LayerName {
  return `${role}:${address}`;
}

/** Type and name of a resource. */
export interface ResourceKey {
  readonly type: XdsType;
  readonly name: string;
}

/** One change of the served state. */
export type Change =
  | { readonly layer: LayerName; readonly put: XdsResource }
  | { readonly layer: LayerName; readonly remove: ResourceKey }
  | ReadsChange;

/** The owner of a layer reads these layers from now on, the nearest first; what it has itself wins. */
export interface ReadsChange {
  readonly layer: LayerName;
  readonly reads: readonly LayerName[];
  /** What its owner sees otherwise than before; filled in when the change is applied. */
  readonly differing?: readonly ResourceKey[];
}

/** The resources that a change is about. */
export function keysOf(change: Change): readonly ResourceKey[] {
  if ('put' in change) return [change.put];
  return 'remove' in change ? [change.remove] : (change.differing ?? []);
}

/** The layers that a proxy's own layer reads while no change said otherwise. */
export function defaultReads(own: LayerName): readonly LayerName[] {
  return own.startsWith('gateway:') ? GATEWAY_READS : SIDECAR_READS;
}

const GATEWAY_READS: readonly LayerName[] = ['gateway'];
const SIDECAR_READS: readonly LayerName[] = ['sidecar'];
