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
}

/**
 * Who gets a resource: `sidecar` and `gateway` are shared by all proxies of the role; `sidecar:ADDRESS`, `gateway:ADDRESS` and
 * `edge:ADDRESS` belong to the proxy at that address. A proxy sees its role's layer and its own; an edge proxy calls services as
 * sidecars do and reads their layer.
 */
export type LayerName = 'sidecar' | 'gateway' | `sidecar:${string}` | `gateway:${string}` | `edge:${string}`;

/** One change of the served state. */
export type Change =
  | { readonly layer: LayerName; readonly put: XdsResource }
  | { readonly layer: LayerName; readonly remove: { readonly type: XdsType; readonly name: string } };
