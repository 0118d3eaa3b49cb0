/** Random histories of one stream against a simple client: whatever happens, it ends with what is served, and the rules hold. */
import type { XdsType } from '@hawser/wire/messages.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { histories } from '../../../../test/kit/random-histories.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import { DeltaStream } from './delta-stream.ts';
import type { ResourceView } from './resource-view.ts';
import type { DeltaResponse } from './response-frame.ts';

type Step =
  | { readonly do: 'put' | 'remove' | 'subscribe' | 'unsubscribe'; readonly type: XdsType; readonly name: string; readonly bad?: boolean }
  | { readonly do: 'answer'; readonly type: XdsType }
  | { readonly do: 'reconnect' | 'wait' };

const TYPES: readonly XdsType[] = ['CDS', 'EDS', 'SDS', 'LDS', 'RDS'];
const type = fc.constantFrom<XdsType>(...TYPES);
const name = fc.constantFrom('a', 'b', 'c');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('put' as const), type, name, bad: fc.boolean() }),
  fc.record({ do: fc.constantFrom('remove' as const, 'subscribe' as const, 'unsubscribe' as const), type, name }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('answer' as const), type }) },
  fc.record({ do: fc.constantFrom('reconnect' as const, 'wait' as const) }),
);

/** The served state and one client of it, which takes clusters and listeners all and the rest by name. */
class Federation {
  readonly served = new Map<string, XdsResource>();
  readonly #client = new Map<string, string>();
  readonly #names = new Set<string>();
  readonly #unanswered = new Map<XdsType, DeltaResponse>();
  readonly #nonces = new Set<string>();
  readonly #refusedAlone = new Set<string>();
  /** Who subscribes is answered, whatever was refused before. */
  readonly #askedAgain = new Set<string>();
  readonly #view: ResourceView = {
    generation: 0,
    get: (of, named) => this.served.get(`${of} ${named}`),
    names: (of) => [...this.served.values()].filter((resource) => resource.type === of).map((resource) => resource.name),
  };
  #stream = new DeltaStream(this.#view, { silent: false });
  #version = 0;
  #now = 0;

  constructor() {
    this.#connect();
  }

  run(next: Step): void {
    if (next.do === 'put' || next.do === 'remove') this.#change(next);
    else if (next.do === 'subscribe' || next.do === 'unsubscribe') this.#subscription(next.do, next.type, next.name);
    else if (next.do === 'answer') this.#answer(next.type);
    else if (next.do === 'wait') this.#now += 10_000;
    else this.#connect();
    this.#receive();
  }

  /** Lets the client answer until nothing is left to do; returns what it has, and what it should have. */
  settle(): { has: object; should: object } {
    for (let round = 0; round < 200 && !(this.#stream.idle && this.#unanswered.size === 0); round += 1) {
      for (const each of TYPES) this.#answer(each);
      this.#now += 10_000;
      this.#receive();
    }
    const covered = [...this.served.values()].filter((resource) => this.#covers(resource.type, resource.name));
    const should = covered.filter(({ bytes }) => bytes[0] === 0).map((resource) => [keyOf(resource), resource.version]);
    const bad = new Set(covered.filter(({ bytes }) => bytes[0] === 1).map(keyOf));
    const has = [...this.#client].filter(([key]) => !bad.has(key));
    return { has: Object.fromEntries(has), should: Object.fromEntries(should) };
  }

  /** Whether a removal is still held back, which a standing refusal may do. */
  get held(): boolean {
    return TYPES.some((each) => this.#stream.subscription(each).holdsRemovals);
  }

  get refused(): boolean {
    return this.#stream.refused;
  }

  #connect(): void {
    this.#stream = new DeltaStream(this.#view, { silent: false });
    this.#unanswered.clear();
    this.#nonces.clear();
    this.#refusedAlone.clear();
    for (const each of TYPES) {
      const [known, names] = [this.#known(each), [...this.#names].filter((key) => key.startsWith(each)).map(nameOf)];
      if (names.length > 0 || isWildcard(each)) this.#request(each, { subscribe: isWildcard(each) ? [] : names, initialVersions: known });
    }
  }

  #known(each: XdsType): Map<string, string> {
    return new Map([...this.#client].filter(([key]) => key.startsWith(each)).map(([key, version]) => [nameOf(key), version]));
  }

  #covers(of: XdsType, named: string): boolean {
    return isWildcard(of) || this.#names.has(`${of} ${named}`);
  }

  #change(next: Step & { type: XdsType; name: string; bad?: boolean }): void {
    const key = `${next.type} ${next.name}`;
    this.#version += 1;
    const bytes = Uint8Array.from([next.bad === true ? 1 : 0]);
    if (next.do === 'remove') this.served.delete(key);
    else this.served.set(key, { type: next.type, name: next.name, version: String(this.#version), bytes });
    this.#stream.changed(next.type, next.name);
  }

  #subscription(kind: 'subscribe' | 'unsubscribe', of: XdsType, named: string): void {
    if (isWildcard(of)) return;
    const key = `${of} ${named}`;
    if (kind === 'subscribe') {
      this.#names.add(key);
      this.#askedAgain.add(key);
    } else {
      this.#names.delete(key);
      this.#client.delete(key);
    }
    this.#request(of, { [kind]: [named] });
  }

  #request(
    of: XdsType,
    request: { subscribe?: string[]; unsubscribe?: string[]; initialVersions?: Map<string, string>; nonce?: string; error?: string },
  ): void {
    const empty = { subscribe: [], unsubscribe: [], initialVersions: new Map(), nonce: '', error: undefined };
    this.#stream.request(of, { ...empty, ...request });
  }

  /** Takes what comes; at most one response per type is unanswered, and no nonce comes twice. */
  #receive(): void {
    for (let response = this.#stream.next(this.#now); response !== undefined; response = this.#stream.next(this.#now)) {
      if (this.#unanswered.has(response.type)) throw new Error(`two responses of ${response.type} in flight`);
      if (this.#nonces.has(response.nonce)) throw new Error(`nonce ${response.nonce} came twice`);
      const [only] = response.resources;
      if (response.resources.length === 1 && only !== undefined && !this.#askedAgain.has(keyOf(only)))
        if (this.#refusedAlone.has(`${keyOf(only)} ${only.version}`)) throw new Error(`${keyOf(only)} was refused and came again`);
      for (const resource of response.resources) this.#askedAgain.delete(keyOf(resource));
      this.#nonces.add(response.nonce);
      this.#unanswered.set(response.type, response);
    }
  }

  /** Refuses a response with something bad in it, and then takes nothing of it; accepts any other. */
  #answer(of: XdsType): void {
    const response = this.#unanswered.get(of);
    if (response === undefined) return;
    this.#unanswered.delete(of);
    const bad = response.resources.filter(({ bytes }) => bytes[0] === 1);
    const [only] = response.resources;
    if (bad.length > 0 && response.resources.length === 1 && only !== undefined && this.#covers(of, only.name))
      this.#refusedAlone.add(`${keyOf(only)} ${only.version}`);
    if (bad.length === 0) this.#accept(response);
    this.#request(of, { nonce: response.nonce, ...(bad.length === 0 ? {} : { error: 'bad' }) });
    this.#receive();
  }

  #accept(response: DeltaResponse): void {
    for (const resource of response.resources)
      if (this.#covers(resource.type, resource.name)) this.#client.set(keyOf(resource), resource.version);
    for (const gone of response.removed) this.#client.delete(`${response.type} ${gone}`);
  }
}

function isWildcard(of: XdsType): boolean {
  return of === 'CDS' || of === 'LDS';
}

function keyOf(resource: { type: XdsType; name: string }): string {
  return `${resource.type} ${resource.name}`;
}

function nameOf(key: string): string {
  return key.slice(4);
}

test('every history ends with the client having what is served, or less the removals that a refusal holds back', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const federation = new Federation();
      for (const each of steps) federation.run(each);
      const { has, should } = federation.settle();
      expect(has).toMatchObject(should);
      if (federation.refused) return;
      expect(federation.held).toBe(false);
      expect(has).toEqual(should);
    }),
    histories(3_000),
  );
});
