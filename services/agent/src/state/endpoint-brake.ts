/**
 * The mass-change brake (RELIABILITY.md R6): what the registry and the checks say against what is in force. A relist that
 * loses more than 30 % of the cluster's endpoints, or a burst of more than 30 % and at least 10 within 1 s, is held until its
 * source says so once more some seconds later, or an operator does. Everything else of the same account goes through.
 * Pure: time is a value.
 */
import type { Endpoint, EndpointShard } from '@hawser/model/endpoint-shard.ts';

/** Shards of the own cluster by service key. */
export type Shards = ReadonlyMap<string, EndpointShard>;

/** `live`: objects changed on a live watch. `relist`: all were read again, `partial`: some of them. `checks`: health alone changed. */
export type BrakeSource = 'live' | 'relist' | 'partial' | 'checks';

/** One loss that is held. */
export interface HeldLoss {
  /** `gone`: no longer in the registry. `unhealthy`: found so by checks. */
  readonly kind: 'gone' | 'unhealthy';
  /** When it was first seen, milliseconds of the caller's clock. */
  readonly since: number;
}

/** What the brake remembers between two accounts. */
export interface BrakeMemory {
  /** By `SERVICE_KEY|ADDRESS`. */
  readonly held: ReadonlyMap<string, HeldLoss>;
  /** How many endpoints were usable until when, for changes within the last second. */
  readonly levels: readonly { readonly until: number; readonly usable: number }[];
}

export const NO_MEMORY: BrakeMemory = { held: new Map(), levels: [] };

/** One account to be judged. */
export interface BrakeInput {
  readonly inForce: Shards;
  readonly next: Shards;
  readonly source: BrakeSource;
  /** Milliseconds; only differences matter. */
  readonly now: number;
  readonly memory: BrakeMemory;
  /** An operator's word: nothing is held. */
  readonly confirmed?: boolean;
}

/** What is to be in force now. */
export interface BrakeVerdict {
  readonly apply: Shards;
  readonly memory: BrakeMemory;
}

/** A held loss is believed when its source still says so after this time. */
export const CONFIRM_AFTER_MS = 3000;
const SHARE = 0.3;
const BURST = 10;
const BURST_WINDOW_MS = 1000;

/** Judges one account. */
export function brake(input: BrakeInput): BrakeVerdict {
  const { inForce, next, now, memory, source } = input;
  const losses = lossesOf(inForce, next);
  const levels = memory.levels.filter((level) => now - level.until < BURST_WINDOW_MS);
  const fresh = [...losses].filter(([key]) => !memory.held.has(key));
  const before = usable(inForce);
  const peak = Math.max(before, ...levels.map((level) => level.usable));
  const lost = peak - usable(next) - memory.held.size;
  const hold =
    input.confirmed !== true &&
    fresh.length > 0 &&
    (source === 'relist' || source === 'partial' ? isLargeRelist(fresh.length, inForce) : isBurst(lost, peak));
  const held = new Map<string, HeldLoss>();
  for (const [key, kind] of losses) {
    const known = memory.held.get(key);
    if (known === undefined ? hold : !isConfirmed(known, kind, input)) held.set(key, { kind, since: known?.since ?? now });
  }
  const apply = held.size === 0 ? next : withHeld(inForce, next, held);
  return { apply, memory: { held, levels: levelsAfter() } };

  // A loss that was confirmed is settled: it must not make the next one look like a part of a burst.
  function levelsAfter(): BrakeMemory['levels'] {
    if (input.confirmed === true || [...losses.keys()].some((key) => memory.held.has(key) && !held.has(key))) return [];
    return usable(apply) < before ? [...levels, { until: now, usable: before }] : levels;
  }
}

/** When the oldest held loss may be confirmed; undefined when nothing is held. */
export function confirmableAt(memory: BrakeMemory): number | undefined {
  const since = [...memory.held.values()].map((loss) => loss.since);
  return since.length === 0 ? undefined : Math.min(...since) + CONFIRM_AFTER_MS;
}

/** Endpoints that are in force and usable, and are so no longer by the next account. */
function lossesOf(inForce: Shards, next: Shards): Map<string, HeldLoss['kind']> {
  const losses = new Map<string, HeldLoss['kind']>();
  for (const [service, shard] of inForce) {
    if (next.get(service) === shard) continue;
    const after = new Map((next.get(service)?.endpoints ?? []).map((endpoint) => [endpoint.address, endpoint.health]));
    for (const { address, health } of shard.endpoints) {
      const now = after.get(address);
      if (now === undefined) losses.set(`${service}|${address}`, 'gone');
      else if (now === 'UNHEALTHY' && health === 'HEALTHY') losses.set(`${service}|${address}`, 'unhealthy');
    }
  }
  return losses;
}

function isLargeRelist(fresh: number, inForce: Shards): boolean {
  return fresh > SHARE * total(inForce);
}

/** Counted net over a second: an endpoint that flaps, or is replaced by another, is no loss. */
function isBurst(lost: number, peak: number): boolean {
  return lost >= BURST && lost > SHARE * peak;
}

/** A full read confirms what is gone; the checks confirm what is unhealthy. */
function isConfirmed(before: HeldLoss, kind: HeldLoss['kind'], { now, source, confirmed }: BrakeInput): boolean {
  if (confirmed === true) return true;
  if (now - before.since < CONFIRM_AFTER_MS) return false;
  return source === (kind === 'gone' ? 'relist' : 'checks');
}

/** The next account, with what is held as it was in force. */
function withHeld(inForce: Shards, next: Shards, held: ReadonlyMap<string, HeldLoss>): Shards {
  const result = new Map(next);
  for (const [service, shard] of inForce) {
    const kept = shard.endpoints.filter((endpoint) => held.has(`${service}|${endpoint.address}`));
    if (kept.length === 0) continue;
    const base = next.get(service) ?? shard;
    const addresses = new Set(kept.map(({ address }) => address));
    const others = next.has(service) ? base.endpoints.filter(({ address }) => !addresses.has(address)) : [];
    result.set(service, { ...base, endpoints: [...others, ...kept.map((endpoint) => keptAs(endpoint, base))].sort(byAddress) });
  }
  return result;
}

/** A kept endpoint follows its service: ports that the service lost are not served for it. */
function keptAs(endpoint: Endpoint, shard: EndpointShard): Endpoint {
  const ports = shard.ports.map((port) => String(port.port));
  return { ...endpoint, targetPorts: Object.fromEntries(Object.entries(endpoint.targetPorts).filter(([port]) => ports.includes(port))) };
}

function total(shards: Shards): number {
  let count = 0;
  for (const shard of shards.values()) count += shard.endpoints.length;
  return count;
}

function usable(shards: Shards): number {
  let count = 0;
  for (const shard of shards.values()) count += usableIn(shard);
  return count;
}

/** Shards are never changed in place: each is counted once. */
const counted = new WeakMap<EndpointShard, number>();

function usableIn(shard: EndpointShard): number {
  const known = counted.get(shard);
  if (known !== undefined) return known;
  const count = shard.endpoints.filter(({ health }) => health !== 'UNHEALTHY').length;
  counted.set(shard, count);
  return count;
}

function byAddress(a: Endpoint, b: Endpoint): number {
  return a.address < b.address ? -1 : 1;
}
