/**
 * From what is known to what is served. Two lanes, no timers: an endpoint change compiles its services, everything else
 * compiles all; what comes while it is busy goes together in the next turn. Nothing is served before everything is known.
 */
import { setImmediate } from 'node:timers';
import type { Roster } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { type CompileProblem, GuardedCompiler } from './guarded-compiler.ts';
import type { Change } from './snapshot/resource.ts';
import type { Applied, SnapshotStore } from './snapshot/snapshot-store.ts';
import type { Credentials } from './state/credential.ts';
import type { Shards } from './state/endpoint-brake.ts';
import type { Dirty, Federation } from './state/federation.ts';
import type { PolicyProbation } from './state/policy-probation.ts';
import type { ProxyRef, World } from './state/world.ts';
import type { TcpService } from './translate/listeners/tcp-ports.ts';
import type { Translator } from './translate/translator.ts';

/** A point in the hub's history. */
export interface Moment {
  readonly epoch: number;
  readonly revision: number;
}

/** The hub's documents as a whole; without `moment` they are those of the last good state. */
export interface Configuration {
  readonly roster: Roster;
  readonly policies: ReadonlyMap<string, Resource>;
  readonly moment: Moment | undefined;
}

/** What it works with. */
export interface ControlLoopParts {
  readonly federation: Federation;
  readonly translator: Translator;
  readonly store: SnapshotStore;
  /** Decides which version of each policy is compiled. */
  readonly probation: PolicyProbation;
  /** What is obeyed of the policies in force: drills end by themselves. */
  readonly obeyed?: (policies: ReadonlyMap<string, Resource>) => ReadonlyMap<string, Resource>;
  /** A hub revision is compiled and applied. */
  readonly onRevision: (moment: Moment, applied: Applied) => void;
  /** What of the newest state could not be compiled, by topic; empty when all of it could. */
  readonly onProblems: (problems: readonly CompileProblem[]) => void;
  /** What was compiled of these clusters is served. */
  readonly onServed?: (clusters: World['clusters']) => void;
  /** Members, or their keys, changed. */
  readonly onRoster: () => void;
  /** Something of the state changed, compiled or not. */
  readonly onChange: () => void;
}

/** What has to be known before proxies are answered. */
export type Prerequisite = 'registry' | 'config' | 'fleet';

/** Compiles. */
export class ControlLoop {
  readonly #parts: ControlLoopParts;
  readonly #compiler: GuardedCompiler;
  readonly #missing = new Set<Prerequisite>(['registry', 'config', 'fleet']);
  readonly #onReady: (() => void)[] = [];
  #scheduled = false;
  #ready = false;
  #wanted: ReadonlyMap<string, Resource> = new Map();
  /** Which of what is wanted is compiled. */
  #effective: ReadonlyMap<string, Resource> = new Map();
  /** Of clusters that are drained by their own agents; obeyed beside what the hub wants. */
  #localDrains: ReadonlyMap<string, Resource> = new Map();
  #pending: Moment | undefined;
  /** What was served since the moment is pending. */
  readonly #applied: Change[] = [];
  #moment: Moment | undefined;

  constructor(parts: ControlLoopParts) {
    this.#parts = parts;
    this.#compiler = new GuardedCompiler(parts.translator);
  }

  /** Whether everything was known once and is compiled. */
  get ready(): boolean {
    return this.#ready;
  }

  /** What is not known yet. */
  get missing(): readonly Prerequisite[] {
    return [...this.#missing];
  }

  /** The hub revision that is compiled and served. */
  get moment(): Moment | undefined {
    return this.#moment;
  }

  /** Where proxies take calls of TCP services; the same array while nothing differs. */
  get tcpServices(): readonly TcpService[] {
    return this.#parts.translator.tcpServices();
  }

  /** The revision that the last good state was saved at. */
  resume(moment: Moment): void {
    this.#moment ??= moment;
  }

  /** Calls back once when it becomes ready; at once when it is. */
  onReady(callback: () => void): void {
    if (this.#ready) callback();
    else this.#onReady.push(callback);
  }

  /** A prerequisite is fulfilled, for good. */
  fulfil(prerequisite: Prerequisite): void {
    if (this.#missing.delete(prerequisite)) this.wake();
  }

  /** The hub's documents, whole. */
  configure({ roster, policies, moment }: Configuration): void {
    const { federation, probation, onRoster } = this.#parts;
    const before = keysOf(federation.roster);
    if (JSON.stringify(federation.roster) !== JSON.stringify(roster)) federation.setRoster(roster);
    if (!samePolicies(this.#wanted, policies)) {
      this.#wanted = policies;
      probation.want(policies, moment?.revision ?? this.#moment?.revision ?? 0);
      this.#obey();
    }
    if (moment !== undefined && !isSame(moment, this.#moment)) this.#pending = moment;
    this.#missing.delete('config');
    if (before !== keysOf(roster)) onRoster();
    this.wake();
  }

  /** The own cluster's shards in force. */
  setOwnShards(shards: Shards): void {
    this.#parts.federation.setOwnShards(shards);
    this.#missing.delete('registry');
    this.wake();
  }

  /** Certificates for the own edge proxies. */
  setCredentials(credentials: Credentials): void {
    this.#parts.federation.setCredentials(credentials);
    this.wake();
  }

  /** Something of the federation changed: it is compiled at the end of this turn. */
  wake(): void {
    this.#parts.onChange();
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.run();
    });
  }

  /** The probation decided otherwise: compiles and serves that, in this turn. */
  reconsider(): void {
    this.#obey();
    this.run();
  }

  /** Drains that clusters made of themselves, by resource key. */
  setLocalDrains(drains: ReadonlyMap<string, Resource>): void {
    this.#localDrains = drains;
    this.#obey();
    this.wake();
  }

  /** Makes the layer of a proxy that connected, in this turn. */
  attach(proxy: ProxyRef): void {
    this.#parts.store.apply(this.#parts.translator.attach(proxy));
  }

  detach(proxy: ProxyRef): void {
    this.#parts.store.apply(this.#parts.translator.detach(proxy));
  }

  /** Compiles what is pending, now. */
  run(): void {
    const { federation, store, probation, onServed } = this.#parts;
    if (this.#missing.size > 0) return;
    const dirty = federation.takeDirty();
    const { clusters } = federation.world();
    const changes = dirty === undefined ? [] : this.#compile(dirty);
    // A world that could not be compiled at all is tried again with the next change; nobody is told that it is served.
    if (changes === undefined) {
      federation.markAll();
      return;
    }
    const applied = store.apply(changes);
    onServed?.(clusters);
    this.#becomeReady();
    const moment = this.#pending;
    if (moment === undefined) return;
    this.#applied.push(...applied.changes);
    // What is served during a trial is not yet what the moment amounts to.
    if (probation.active) return;
    this.#pending = undefined;
    this.#moment = moment;
    this.#parts.onRevision(moment, { generation: applied.generation, changes: this.#applied.splice(0) });
    this.#parts.onChange();
  }

  #obey(): void {
    const { probation, federation, obeyed = (policies) => policies } = this.#parts;
    const policies = obeyed(probation.effective);
    this.#effective = this.#localDrains.size === 0 ? policies : new Map([...policies, ...this.#localDrains]);
    federation.setPolicies(this.#effective);
  }

  #becomeReady(): void {
    if (this.#ready) return;
    this.#ready = true;
    this.#parts.onChange();
    for (const callback of this.#onReady.splice(0)) callback();
  }

  #compile(dirty: Dirty): readonly Change[] | undefined {
    const { federation, onProblems } = this.#parts;
    const { changes, problems, policies } = this.#compiler.compile(federation.world(), dirty, this.#effective);
    federation.adoptPolicies(policies);
    if (dirty === 'all' || problems.length > 0) onProblems(problems);
    return changes;
  }
}

/** Who is believed: names, epochs and keys. */
function keysOf(roster: Roster | undefined): string {
  return JSON.stringify((roster?.members ?? []).map(({ name, epoch, signingKey }) => [name, epoch, signingKey]));
}

/** Policies that did not change are the same objects. */
function samePolicies(a: ReadonlyMap<string, Resource>, b: ReadonlyMap<string, Resource>): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [key, policy] of a) if (b.get(key) !== policy) return false;
  return true;
}

function isSame(a: Moment, b: Moment | undefined): boolean {
  return a.epoch === b?.epoch && a.revision === b.revision;
}
