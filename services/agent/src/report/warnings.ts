/** What an operator should know of this agent: conditions that last, and events that passed. Bounded. */
import type { AgentStatus } from '@hawser/wire/messages.ts';

type Warning = AgentStatus['warnings'][number];

const MAX_SHOWN = 50;
const MAX_EVENTS = 20;
const MAX_LENGTH = 500;

/** Collects warnings; tells once for each new one. */
export class Warnings {
  readonly #onNew: (warning: Warning) => void;
  readonly #standing = new Map<string, readonly Warning[]>();
  #events: Warning[] = [];

  constructor(onNew: (warning: Warning) => void) {
    this.#onNew = onNew;
  }

  /** Everything that is wrong with `place` now; an empty list when it is well again. */
  standing(place: string, messages: readonly string[]): void {
    const before = this.#standing.get(place) ?? [];
    const now = [...new Set(messages)].slice(0, MAX_SHOWN).map((message) => {
      const known = before.find((warning) => warning.message === short(message));
      return known ?? this.#made(place, message);
    });
    if (now.length === 0) this.#standing.delete(place);
    else this.#standing.set(place, now);
    for (const warning of now) if (!before.includes(warning)) this.#onNew(warning);
  }

  /** Something that happened once. */
  event(place: string, message: string): void {
    const warning = this.#made(place, message);
    this.#events = [...this.#events.filter((other) => other.place !== place || other.message !== warning.message), warning].slice(
      -MAX_EVENTS,
    );
    this.#onNew(warning);
  }

  /** Newest last, at most 50. */
  list(): Warning[] {
    const all = [...[...this.#standing.values()].flat(), ...this.#events];
    return all.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).slice(-MAX_SHOWN);
  }

  #made(place: string, message: string): Warning {
    return { at: new Date().toISOString(), place, message: short(message) };
  }
}

function short(message: string): string {
  return message.length > MAX_LENGTH ? `${message.slice(0, MAX_LENGTH)}…` : message;
}
