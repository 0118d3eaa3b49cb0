/** The facts of one kind as they were read last. An object that became unreadable keeps its last good ones. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { ReadObject } from './object-facts.ts';

/** Where the facts of one kind go. */
export interface FactsSink<Facts> {
  put(object: ReadObject<Facts>): void;
  remove(key: string): void;
  /** A whole list, of one namespace if named: what is not in it is gone. */
  replace(objects: readonly ReadObject<Facts>[], namespace?: string): void;
}

/** Called for an object whose facts differ, with those of before. */
type FactsChange<Facts> = (key: string, facts: Facts | undefined, before: Facts | undefined) => void;

/** Facts by key; tells whose facts differ. */
export class KnownFacts<Facts> implements FactsSink<Facts> {
  readonly #known = new Map<string, Facts>();
  readonly #problems = new Map<string, string>();
  readonly #onChange: FactsChange<Facts>;

  constructor(onChange: FactsChange<Facts>) {
    this.#onChange = onChange;
  }

  get(key: string): Facts | undefined {
    return this.#known.get(key);
  }

  keys(): Iterable<string> {
    return this.#known.keys();
  }

  entries(): Iterable<[string, Facts]> {
    return this.#known.entries();
  }

  /** What cannot be read now. */
  problems(): Iterable<string> {
    return this.#problems.values();
  }

  put({ key, facts, problem, isGone }: ReadObject<Facts>): void {
    if (isGone === true) {
      this.remove(key);
      return;
    }
    if (problem !== undefined) this.#problems.set(key, problem);
    else this.#problems.delete(key);
    const before = this.#known.get(key);
    if (facts === undefined || isDeepStrictEqual(facts, before)) return;
    this.#known.set(key, facts);
    this.#onChange(key, facts, before);
  }

  remove(key: string): void {
    this.#problems.delete(key);
    const before = this.#known.get(key);
    if (this.#known.delete(key)) this.#onChange(key, undefined, before);
  }

  replace(objects: readonly ReadObject<Facts>[], namespace?: string): void {
    const listed = new Set(objects.map(({ key }) => key));
    const isMeant = (key: string): boolean => !listed.has(key) && (namespace === undefined || key.startsWith(`${namespace}/`));
    for (const object of objects) this.put(object);
    for (const key of [...this.#known.keys(), ...this.#problems.keys()]) if (isMeant(key)) this.remove(key);
  }
}
