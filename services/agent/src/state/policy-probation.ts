/**
 * Which version of each policy is compiled. All routes of a proxy are one xDS resource: one policy that a proxy refuses would
 * hold up every other. So policies that no proxy has accepted yet are on probation: when a proxy refuses what they were compiled
 * into, they are tried in halves at that proxy until the bad one stands alone; it is then replaced by its last accepted version,
 * or left out. Pure: refusals and acceptances in, the policies to compile out (RELIABILITY.md R10, 2.3 rule 4).
 */
import type { DestinationRuleSpec } from '@hawser/model/istio/specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { parseServiceHost, type ServiceName } from '@hawser/model/service-host.ts';
import { canonicalJson, sha256 } from '@hawser/runtime/canonical-json.ts';
import type { XdsType } from '@hawser/wire/messages.ts';

/** Refused versions that are remembered as nobody's fault. */
const MAX_OTHERS = 1000;

export type Policies = ReadonlyMap<string, Resource>;

/** A proxy's no to a version of a resource that it is served now. */
export interface ProxyRefusal {
  readonly proxy: string;
  readonly type: XdsType;
  readonly resource: string;
  readonly version: string;
  readonly message: string;
  /** When it came, RFC 3339. */
  readonly at: string;
}

/** A policy that is not served as it is wanted. */
export interface RefusedPolicy {
  readonly key: string;
  /** Content of the version that was refused. */
  readonly hash: string;
  /** The hub's revision with which it came. */
  readonly revision: number;
  readonly refusal: ProxyRefusal;
}

/** What outlasts a restart. */
export interface SavedProbation {
  readonly refused: readonly RefusedPolicy[];
  /** Accepted versions of policies that are wanted otherwise; null when there is none. */
  readonly standIns: readonly { readonly key: string; readonly policy: Resource | null }[];
}

interface Wanted {
  readonly policy: Resource;
  /** As it was handed over last: `policy`, or a copy of it. */
  readonly given: Resource;
  readonly hash: string;
  readonly revision: number;
}

interface Trial {
  /** The proxy whose answers decide; undefined when it went: then the next that answers. */
  witness: string | undefined;
  refusal: ProxyRefusal;
  /** Policies that are compiled as wanted, to see what the witness says. */
  trying: readonly string[];
  /** To be tried after that; until then their last accepted versions are compiled. */
  readonly groups: (readonly string[])[];
  readonly blamed: string[];
}

/** The policies' state. After a method answers true, `effective` is to be compiled anew. */
export class PolicyProbation {
  readonly #wanted = new Map<string, Wanted>();
  /** The policies as they were handed over, if they are the very ones that are wanted. */
  #asWanted: Policies | undefined;
  readonly #accepted = new Map<string, Wanted>();
  readonly #refused = new Map<string, RefusedPolicy>();
  /** Versions of resources that were refused whatever the policies were. */
  readonly #others = new Set<string>();
  #trial: Trial | undefined;
  #pending = false;
  #saved: SavedProbation | undefined;

  constructor(saved?: SavedProbation) {
    this.#saved = saved;
  }

  /** Whether it is being found out which policy a proxy refuses. */
  get active(): boolean {
    return this.#trial !== undefined;
  }

  /** Whether there may be policies that no proxy has accepted yet. */
  get pending(): boolean {
    return this.#pending;
  }

  /** The proxy that is being asked. */
  get witness(): string | undefined {
    return this.#trial?.witness;
  }

  /** Policies that are held back because a proxy refused them. */
  get refused(): readonly RefusedPolicy[] {
    return [...this.#refused.values()];
  }

  /** Whether a policy's last accepted version is compiled in place of the refused one; otherwise it is left out. */
  hasStandIn(key: string): boolean {
    return this.#accepted.has(key);
  }

  /** What the hub wants at a revision. */
  want(policies: Policies, revision: number): void {
    const wanted = this.#wanted;
    const changed: string[] = [];
    this.#asWanted = policies;
    for (const [key, policy] of policies) {
      const known = wanted.get(key);
      const next = wantedOf(policy, revision, known);
      // A copy of what was there is not new: the one that was is compiled.
      if (next.policy !== policy) this.#asWanted = undefined;
      if (next === known) continue;
      wanted.set(key, next);
      if (known?.hash !== next.hash) changed.push(key);
    }
    if (wanted.size > policies.size) for (const key of [...wanted.keys()]) if (!policies.has(key)) wanted.delete(key);
    if (this.#saved !== undefined) this.#restore(this.#saved);
    for (const key of [...this.#accepted.keys(), ...this.#refused.keys()]) if (!wanted.has(key)) this.#forget(key);
    for (const [key, { hash }] of this.#refused) if (wanted.get(key)?.hash !== hash) this.#refused.delete(key);
    if (this.#trial !== undefined) this.#queue(this.#trial, changed);
    this.#pending ||= wanted.entries().some(([key, { hash }]) => this.#accepted.get(key)?.hash !== hash);
  }

  /** The policies to compile. */
  get effective(): Policies {
    if (this.#asWanted !== undefined && this.#trial === undefined && this.#refused.size === 0) return this.#asWanted;
    const waiting = new Set(this.#trial?.groups.flat());
    const effective = new Map<string, Resource>();
    for (const [key, { policy }] of this.#wanted) {
      const isHeld = this.#refused.has(key) || waiting.has(key);
      const compiled = isHeld ? this.#accepted.get(key)?.policy : policy;
      if (compiled !== undefined) effective.set(key, compiled);
    }
    return effective;
  }

  /** A proxy refuses a resource in the version that it is served now. */
  refuse(refusal: ProxyRefusal): boolean {
    const trial = this.#trial;
    if (trial === undefined) return this.#begin(refusal);
    if (!this.#isWitness(trial, refusal.proxy)) return false;
    if (trial.refusal.type !== refusal.type || trial.refusal.resource !== refusal.resource) return false;
    // Refused although nothing is tried: it was none of the policies.
    if (trial.trying.length === 0) return this.#exonerate(trial);
    this.#narrow(trial, refusal);
    return true;
  }

  /** A proxy accepted everything that it is served now; `everyone`: so did all others. */
  accept(proxy: string, everyone: boolean): boolean {
    const trial = this.#trial;
    if (trial === undefined) {
      if (everyone) this.#acceptAll();
      return false;
    }
    if (!this.#isWitness(trial, proxy)) return false;
    for (const key of trial.trying) this.#acceptOne(key);
    const isOver = trial.groups.length === 0 && (trial.trying.length === 0 || trial.blamed.length === 0);
    if (isOver) this.#trial = undefined;
    else trial.trying = trial.groups.shift() ?? [];
    return true;
  }

  /** A proxy disconnected. */
  gone(proxy: string): void {
    if (this.#trial?.witness === proxy) this.#trial.witness = undefined;
  }

  /** The witness does not answer: what was not found out is served as wanted. */
  giveUp(): void {
    this.#trial = undefined;
  }

  /** What is to be saved. */
  saved(): SavedProbation {
    const standIns = [...this.#wanted]
      .filter(([key, { hash }]) => this.#accepted.get(key)?.hash !== hash)
      .map(([key]) => ({ key, policy: this.#accepted.get(key)?.policy ?? null }));
    return { refused: this.refused, standIns };
  }

  /** After a start, what was served before it was accepted, but for what is saved as not. */
  #restore(saved: SavedProbation): void {
    this.#saved = undefined;
    const standIns = new Map(saved.standIns.map(({ key, policy }) => [key, policy]));
    for (const [key, wanted] of this.#wanted) {
      const policy = standIns.get(key);
      if (policy === undefined) this.#accepted.set(key, wanted);
      else if (policy !== null) this.#accepted.set(key, wantedOf(policy, 0, undefined));
    }
    for (const refused of saved.refused) this.#refused.set(refused.key, refused);
  }

  #begin(refusal: ProxyRefusal): boolean {
    const version = `${refusal.type} ${refusal.resource} ${refusal.version}`;
    if (this.#others.has(version)) return false;
    const suspects = [...this.#wanted]
      .filter(([key, { hash }]) => this.#accepted.get(key)?.hash !== hash && !this.#refused.has(key))
      .filter(([, { policy }]) => concerns(policy, refusal))
      .map(([key]) => key);
    if (suspects.length === 0) {
      if (this.#others.size >= MAX_OTHERS) this.#others.clear();
      this.#others.add(version);
      return false;
    }
    const trial: Trial = { witness: refusal.proxy, refusal, trying: suspects.sort(), groups: [], blamed: [] };
    this.#trial = trial;
    this.#narrow(trial, refusal);
    return true;
  }

  /** What is tried holds a bad one: it is found, or looked for in the halves. */
  #narrow(trial: Trial, refusal: ProxyRefusal): void {
    const { trying } = trial;
    trial.refusal = refusal;
    const [only, ...others] = trying;
    if (only !== undefined && others.length === 0) this.#blame(trial, only, refusal);
    else {
      const middle = Math.ceil(trying.length / 2);
      trial.groups.unshift(trying.slice(0, middle), trying.slice(middle));
    }
    trial.trying = trial.groups.shift() ?? [];
  }

  #blame(trial: Trial, key: string, refusal: ProxyRefusal): void {
    const wanted = this.#wanted.get(key);
    if (wanted === undefined) return;
    trial.blamed.push(key);
    this.#refused.set(key, { key, hash: wanted.hash, revision: wanted.revision, refusal });
  }

  #exonerate(trial: Trial): boolean {
    for (const key of trial.blamed) {
      this.#refused.delete(key);
      this.#acceptOne(key);
    }
    this.#trial = undefined;
    return true;
  }

  #isWitness(trial: Trial, proxy: string): boolean {
    trial.witness ??= proxy;
    return trial.witness === proxy;
  }

  /** What changes during a trial is tried last, by itself. */
  #queue(trial: Trial, changed: readonly string[]): void {
    const kept = (keys: readonly string[]): string[] => keys.filter((key) => this.#wanted.has(key) && !changed.includes(key));
    trial.trying = kept(trial.trying);
    const groups = [...trial.groups.map(kept), ...changed.map((key) => [key])].filter((group) => group.length > 0);
    trial.groups.splice(0, trial.groups.length, ...groups);
  }

  #acceptAll(): void {
    for (const key of this.#wanted.keys()) if (!this.#refused.has(key)) this.#acceptOne(key);
    this.#others.clear();
    this.#pending = false;
  }

  #acceptOne(key: string): void {
    const wanted = this.#wanted.get(key);
    if (wanted !== undefined) this.#accepted.set(key, wanted);
  }

  #forget(key: string): void {
    this.#accepted.delete(key);
    this.#refused.delete(key);
  }
}

function wantedOf(policy: Resource, revision: number, before: Wanted | undefined): Wanted {
  if (before?.given === policy) return before;
  const hash = sha256(canonicalJson(policy)).slice(0, 16);
  return before?.hash === hash ? { ...before, given: policy } : { policy, given: policy, hash, revision };
}

/** Whether a policy has a part in a resource: rules and subsets in routes; subsets, failover and shifts in their service's clusters. */
function concerns(policy: Resource, { type, resource }: ProxyRefusal): boolean {
  if (isOfEdge(resource)) return policy.kind === 'Gateway' || policy.kind === 'VirtualService';
  if (type === 'RDS') return policy.kind === 'VirtualService' || policy.kind === 'DestinationRule';
  if ((type !== 'CDS' && type !== 'EDS') || policy.kind === 'VirtualService') return false;
  const service = parseServiceHost(resource.split('|').at(-1) ?? '', '');
  return service !== undefined && isFor(policy, service);
}

/** Listeners, routes and secrets of edge proxies: what Gateways, and the VirtualServices bound to them, amount to. */
function isOfEdge(resource: string): boolean {
  return /^(edge|credential|file|trust\|edge)\|/.test(resource);
}

function isFor(policy: Resource, { namespace, service }: ServiceName): boolean {
  const own = policy.metadata.namespace ?? '';
  if (policy.kind === 'DestinationRule') {
    const target = parseServiceHost((policy.spec as DestinationRuleSpec).host ?? '', own);
    return target?.namespace === namespace && target.service === service;
  }
  const { services } = policy.spec as { readonly services?: readonly string[] };
  return own === namespace && (services === undefined || services.includes(service));
}
