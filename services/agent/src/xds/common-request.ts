/** First requests that ask for all that others see too: streams that begin with them share what is known of it. */
import type { DeltaRequest } from './delta-request.ts';
import type { LayerSet } from './layer-sets.ts';

/** Which set a request is measured against. */
export interface CommonChoice {
  /** What all see, if this client sees nothing else; asked for only when the rest of the request allows it. */
  readonly common: () => LayerSet | undefined;
  /** The most that one response may hold. */
  readonly maxBytes: number;
  /** Whether a request without names asks for everything. */
  readonly legacyWildcard: boolean;
}

/** The set, if the first request of a client that has nothing asks for exactly this and one response can hold it. */
export function askedForAll(request: DeltaRequest, { common, maxBytes, legacyWildcard }: CommonChoice): LayerSet | undefined {
  const { subscribe, unsubscribe, initialVersions } = request;
  if (unsubscribe.length > 0 || initialVersions.size > 0) return undefined;
  const set = common();
  if (set === undefined || set.resources.length === 0 || set.bytes > maxBytes) return undefined;
  return legacyWildcard || isWildcard(request) || namesAll(subscribe, set) ? set : undefined;
}

/** Whether a request asks for the wildcard and for nothing else. */
export function isWildcard({ subscribe }: DeltaRequest): boolean {
  return subscribe.length === 1 && subscribe[0] === '*';
}

/** By set: the list of names last found to be all of its. Lists are the same for clients that ask alike. */
const found = new WeakMap<LayerSet, readonly string[]>();

function namesAll(subscribe: readonly string[], set: LayerSet): boolean {
  const { names } = set;
  if (subscribe.length !== names.size) return false;
  if (found.get(set) === subscribe) return true;
  const isAll = subscribe.every((name) => names.has(name)) && new Set(subscribe).size === names.size;
  if (isAll) found.set(set, subscribe);
  return isAll;
}
