/** Every state that a hub's database committed, and whether agents at a moment of it hold that state and no other. */
import type { RunningAgent } from '@hawser/agent/agent.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { canonicalJson } from '@hawser/runtime/canonical-json.ts';
import type { Moment } from './history-checker.ts';

/** All policies, by name. */
export type Policies = ReadonlyMap<string, Resource>;

/** What an agent held at a moment. */
interface Held extends Moment {
  readonly agent: string;
  readonly policies: string;
}

/** Records both; compares at the end, when all answers of the hub are in. */
export class CommittedStates {
  readonly #committed: (Moment & { readonly policies: string })[] = [];
  readonly #held = new Map<string, Held>();

  /** From this moment on, until the next one, these are the policies. */
  commit(moment: Moment, policies: Policies): void {
    this.#committed.push({ ...moment, policies: textOf([...policies.values()]) });
  }

  /** Records what the agent holds whenever it served something new. Answers how to stop. */
  watch(agent: RunningAgent): () => void {
    const look = (): void => {
      const { self, moment, policies } = agent.world();
      if (moment === undefined) return;
      const held = { agent: self, ...moment, policies: textOf(policies) };
      this.#held.set(JSON.stringify(held), held);
    };
    // In the turn of the change, after it: only then do moment and policies belong together.
    return agent.store.subscribe(() => queueMicrotask(look));
  }

  /** How many different pairs of moment and policies were seen. */
  get seen(): number {
    return this.#held.size;
  }

  /** What agents held that was not what was committed up to their moment. */
  breaches(): string[] {
    return [...this.#held.values()].flatMap((held) => {
      const wanted = this.#committed.filter((one) => one.epoch === held.epoch && one.revision <= held.revision).at(-1);
      if (wanted?.policies === held.policies) return [];
      return [`${held.agent} at ${held.epoch}.${held.revision} holds ${held.policies}, committed was ${wanted?.policies ?? 'nothing'}`];
    });
  }
}

function textOf(policies: readonly Resource[]): string {
  return canonicalJson(Object.fromEntries(policies.map(({ metadata, spec }) => [metadata.name, spec])));
}
