/** Makes of what is pending of one type on one stream what the next response says. Pure. */
import type { XdsType } from '@hawser/wire/messages.ts';
import { sizeOf, type XdsResource } from '../snapshot/resource.ts';
import type { ClientVersions } from './client-versions.ts';
import type { PendingNames } from './pending-names.ts';
import type { Refusals } from './refusals.ts';
import type { ResourceView } from './resource-view.ts';
import type { Collected, Collecting, TakePlan } from './type-response.ts';

/** What is known of one type's client, shared with its subscription. */
export interface CollectorParts<Hold> {
  readonly type: XdsType;
  readonly view: ResourceView;
  /** Where a response is cut. */
  readonly maxBytes: number;
  readonly versions: ClientVersions;
  readonly refusals: Refusals;
  readonly dirty: PendingNames;
  /** Removals on hold. */
  readonly held: Map<string, Hold>;
  readonly ackedIn: Map<string, number>;
}

/** Takes names out of what is pending, as many as one response holds. */
export class ResponseCollector<Hold> {
  readonly #parts: CollectorParts<Hold>;

  constructor(parts: CollectorParts<Hold>) {
    this.#parts = parts;
  }

  /** What the response says. Parts of refused responses are tried only when there is nothing else, and no answer is owed. */
  collect(plan: TakePlan<Hold>, owesAnswer: boolean): Collected {
    const { held, dirty } = this.#parts;
    for (const [name, hold] of held) if (plan.released(hold)) dirty.compare(name);
    const collected: Collecting = { puts: [], removed: [], replaced: [], adds: false };
    this.#collectDirty(collected, plan);
    if (collected.puts.length === 0 && collected.removed.length === 0 && !owesAnswer) this.#collectRetry(collected);
    return collected;
  }

  #collectDirty(collected: Collecting, plan: TakePlan<Hold>): void {
    const { type, view, dirty, refusals, ackedIn, maxBytes } = this.#parts;
    let bytes = 0;
    for (const [name, owed] of dirty.entries()) {
      const resource = view.get(type, name);
      if (resource === undefined) this.#remove(collected, { name, owed }, plan);
      else if (owed || this.#differs(resource)) {
        bytes += sizeOf(resource) + name.length;
        if (bytes > maxBytes && collected.puts.length > 0) return;
        this.#put(collected, resource);
      } else if (refusals.get(name) === undefined) ackedIn.delete(name);
      dirty.delete(name);
    }
  }

  /** Whether the client lacks this version and did not refuse it. */
  #differs({ name, version }: XdsResource): boolean {
    const { versions, refusals } = this.#parts;
    return versions.sent(name) !== version && refusals.get(name)?.version !== version;
  }

  #put(collected: Collecting, resource: XdsResource): void {
    const { versions, held } = this.#parts;
    collected.puts.push(resource);
    held.delete(resource.name);
    if (versions.has(resource.name)) collected.replaced.push(resource);
    collected.adds ||= versions.mayLack(resource.name);
  }

  /** A name that the client has goes when its hold says so; one that it asks for and nobody has is answered at once. */
  #remove(collected: Collecting, { name, owed }: { name: string; owed: boolean }, plan: TakePlan<Hold>): void {
    const { versions, held, refusals } = this.#parts;
    if (!versions.has(name)) {
      if (owed) collected.removed.push(name);
      return;
    }
    const hold = held.get(name) ?? plan.hold();
    if (plan.released(hold)) {
      held.delete(name);
      collected.removed.push(name);
      // What is not served any more is not refused any more, even if its removal is refused for the sake of another.
      refusals.forget(name);
    } else held.set(name, hold);
  }

  #collectRetry(collected: Collecting): void {
    const { type, view, refusals } = this.#parts;
    for (let part = refusals.takePart(); part !== undefined; part = refusals.takePart()) {
      for (const [name, version] of part) {
        const resource = view.get(type, name);
        if (resource?.version === version && refusals.get(name)?.version === version) this.#put(collected, resource);
      }
      if (collected.puts.length > 0) return;
    }
  }
}
