/** Compiling that one broken part cannot stop: what cannot be compiled stays as it was, alone, and is named. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { Change } from './snapshot/resource.ts';
import type { Dirty } from './state/federation.ts';
import type { World } from './state/world.ts';
import type { Translator } from './translate/translator.ts';

type Policies = ReadonlyMap<string, Resource>;

/** Something that could not be compiled; `policy` is the key of the one at fault. */
export interface CompileProblem {
  readonly message: string;
  readonly policy?: string;
}

/** What came of it. */
export interface Compiled {
  /** Undefined when nothing could be compiled at all. */
  readonly changes: readonly Change[] | undefined;
  readonly problems: readonly CompileProblem[];
  /** The policies in force now. */
  readonly policies: Policies;
}

/** Remembers what compiled, and falls back on it part by part. */
export class GuardedCompiler {
  readonly #translator: Translator;
  #policies: Policies = new Map();
  /** By service key. */
  readonly #shards = new Map<string, ReadonlyMap<string, EndpointShard>>();
  /** The shards that were noted as a whole, while nothing else was. */
  #noted: World['shards'] | undefined;

  constructor(translator: Translator) {
    this.#translator = translator;
  }

  /** Compiles what differs; `wanted` are all policies, those that were left out before included. */
  compile(world: World, dirty: Dirty, wanted: Policies): Compiled {
    const problems: CompileProblem[] = [];
    try {
      const changes = this.#translator.update(world, dirty);
      this.#policies = world.policies;
      this.#note(world, dirty === 'all' ? undefined : dirty.services);
      return { changes, problems, policies: this.#policies };
    } catch (error) {
      problems.push({ message: messageOf(error) });
    }
    const changes = dirty === 'all' ? this.#all(world, wanted, problems) : this.#services(world, dirty.services, problems);
    return { changes, problems, policies: this.#policies };
  }

  /** What compiled before, then each new policy and each changed service by itself. */
  #all(world: World, wanted: Policies, problems: CompileProblem[]): Change[] | undefined {
    const baseline = { ...world, policies: this.#policies, shards: new Map(this.#shards) };
    const changes = this.#try(baseline, 'all', 'configuration', problems);
    if (changes === undefined) return undefined;
    changes.push(...this.#changedPolicies(baseline, wanted, problems));
    const differing = [...world.shards].filter(([key, shards]) => this.#shards.get(key) !== shards).map(([key]) => key);
    const gone = [...this.#shards.keys()].filter((key) => !world.shards.has(key));
    const services = new Set([...differing, ...gone]);
    return [...changes, ...this.#services({ ...world, policies: this.#policies }, services, problems)];
  }

  #changedPolicies(world: World, wanted: Policies, problems: CompileProblem[]): Change[] {
    const changes: Change[] = [];
    for (const key of [...new Set([...this.#policies.keys(), ...wanted.keys()])].sort()) {
      const policy = wanted.get(key);
      if (policy === this.#policies.get(key)) continue;
      const candidate = new Map(this.#policies);
      if (policy === undefined) candidate.delete(key);
      else candidate.set(key, policy);
      const failures: CompileProblem[] = [];
      const compiled = this.#try({ ...world, policies: candidate }, 'all', `${key} is kept as it was`, failures);
      problems.push(...failures.map(({ message }) => ({ message, policy: key })));
      if (compiled === undefined) continue;
      changes.push(...compiled);
      this.#policies = candidate;
    }
    return changes;
  }

  #services(world: World, services: ReadonlySet<string>, problems: CompileProblem[]): Change[] {
    return [...services].sort().flatMap((key) => {
      const one = new Set([key]);
      const compiled = this.#try(world, { services: one }, `endpoints of ${key} are kept as they were`, problems);
      if (compiled !== undefined) this.#note(world, one);
      return compiled ?? [];
    });
  }

  #note(world: World, services: ReadonlySet<string> | undefined): void {
    if (services === undefined && this.#noted === world.shards) return;
    this.#noted = services === undefined ? world.shards : undefined;
    if (services === undefined) this.#shards.clear();
    for (const key of services ?? world.shards.keys()) {
      const shards = world.shards.get(key);
      if (shards === undefined) this.#shards.delete(key);
      else this.#shards.set(key, shards);
    }
  }

  #try(world: World, dirty: Dirty, place: string, problems: CompileProblem[]): Change[] | undefined {
    try {
      return this.#translator.update(world, dirty);
    } catch (error) {
      problems.push({ message: `${place}: ${messageOf(error)}` });
      return undefined;
    }
  }
}
