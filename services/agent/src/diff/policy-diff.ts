/** Answers what proposed policies would do here: in a thread of its own, one at a time, ended when it takes too long. */
import { Worker } from 'node:worker_threads';
import { kindNamed } from '@hawser/model/kinds.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import { validateResource } from '@hawser/model/validate.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { DiffRequest, DiffResponse, XdsDifference } from '@hawser/wire/messages.ts';
import type { Moment } from '../control-loop.ts';
import type { Change } from '../snapshot/resource.ts';
import type { ProxyRef, World } from '../state/world.ts';
import type { CompiledDiff, DiffInput } from './compile-diff.ts';

/** What it looks at. */
export interface PolicyDiffParts {
  world(): World;
  moment(): Moment | undefined;
  /** Whether the world is whole. */
  ready(): boolean;
  /** Proxies whose own layers are compiled. */
  refs(): readonly ProxyRef[];
  /** Names of connected proxies that see a change. */
  seenBy(change: Change): readonly string[];
}

/** With a busy machine in mind: the thread has to load the translator first. */
const DEADLINE_MS = 20_000;
const MAX_HEAP_MIB = 512;

/** Compares; `stop` ends what is under way. */
export class PolicyDiff {
  readonly #parts: PolicyDiffParts;
  #worker: Worker | undefined;

  constructor(parts: PolicyDiffParts) {
    this.#parts = parts;
  }

  /** The answer to a request; never rejects. */
  async answer({ changes }: DiffRequest): Promise<DiffResponse> {
    const { ready, world, moment, refs } = this.#parts;
    if (!ready()) return { error: 'the agent does not know everything yet' };
    if (this.#worker !== undefined) return { error: 'the agent compares something else already: ask again later' };
    const inForce = world();
    const policies = new Map(inForce.policies);
    for (const { kind, namespace, name, policy } of changes) {
      const key = resourceKey(kind, namespace, name);
      if (policy === undefined) policies.delete(key);
      else if (isPolicy(kind, policy)) policies.set(key, policy);
      else return { error: `${key} is no policy that this agent knows` };
    }
    const { epoch, revision } = moment() ?? { epoch: 0, revision: 0 };
    try {
      return { epoch, revision, ...this.#account(await this.#compile({ world: inForce, policies, proxies: refs() })) };
    } catch (error) {
      return { error: error instanceof AppError ? error.message : `the agent could not compare: ${String(error)}` };
    }
  }

  stop(): void {
    void this.#worker?.terminate();
  }

  #compile(input: DiffInput): Promise<CompiledDiff> {
    const { promise, resolve, reject } = Promise.withResolvers<CompiledDiff>();
    const worker = new Worker(new URL('./diff-worker.ts', import.meta.url), {
      ...{ workerData: input, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB } },
    });
    this.#worker = worker;
    const late = setTimeout(() => {
      reject(new AppError('diff-late', `the agent could not compare within ${DEADLINE_MS / 1000} s`));
      void worker.terminate();
    }, DEADLINE_MS);
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new AppError('diff-ended', 'the comparison was ended')));
    return promise.finally(() => {
      clearTimeout(late);
      this.#worker = undefined;
      void worker.terminate();
    });
  }

  #account({ resources, omitted, problems }: CompiledDiff) {
    const all = new Set<string>();
    const count = ({ layer, type, name }: CompiledDiff['omitted'][number]): number => {
      const seen = this.#parts.seenBy({ layer, remove: { type, name } });
      for (const proxy of seen) all.add(proxy);
      return seen.length;
    };
    const listed: XdsDifference[] = resources.map((difference) => ({ ...difference, proxies: count(difference) }));
    omitted.forEach(count);
    return { resources: listed, resourcesOmitted: omitted.length, proxies: all.size, problems: [...problems] };
  }
}

/** RELIABILITY R10: what the hub checked is checked again. */
function isPolicy(kindName: string, policy: unknown): policy is Resource {
  const kind = kindNamed(kindName);
  return kind?.policy === true && !('issues' in validateResource(policy, kind));
}
