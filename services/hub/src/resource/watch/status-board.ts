/** Which statuses changed although nothing was written: conditions come from the fleet, not from the log. Coalesced, one entry a resource. */
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import type { Change } from '../history-store.ts';

interface Posted {
  readonly revision: number;
  readonly signature: string;
  readonly resource: Resource;
  /** Rises with every status that was posted; 0 for one that the log itself told. */
  readonly order: number;
  /** The newest write when the status was looked up. */
  readonly at: number;
}

/** The statuses of one kind. */
export class StatusBoard {
  #posted: Map<string, Posted> | undefined;
  #order = 0;

  /** The newest post. */
  get order(): number {
    return this.#order;
  }

  /** Whether the statuses of this kind have been looked at since watching began. */
  get known(): boolean {
    return this.#posted !== undefined;
  }

  /** A write, with the status that its watchers are told with it; `at` is the newest write when that was looked up. */
  note({ resource, revision, action, ...key }: Change, at: number): void {
    const name = resourceKey(key.kind, key.namespace, key.name);
    if (action === 'delete') this.#posted?.delete(name);
    else this.#posted?.set(name, { revision, resource, signature: signatureOf(resource), order: 0, at });
  }

  /**
   * Everything of the kind as it is now. What the log has not told of yet waits for the log. The first look posts
   * everything: what a watcher saw before nobody knows. Answers whether anything was posted.
   */
  look(resources: readonly Resource[], position: number): boolean {
    const before = this.#posted ?? new Map<string, Posted>();
    const after = new Map<string, Posted>();
    const start = this.#order;
    for (const resource of resources) {
      const key = resourceKey(resource.kind, resource.metadata.namespace, resource.metadata.name);
      const known = before.get(key);
      const revision = Number(resource.metadata.resourceVersion);
      if (revision > position || (known !== undefined && known.revision !== revision)) {
        if (known !== undefined) after.set(key, known);
        continue;
      }
      const signature = signatureOf(resource);
      if (known?.signature === signature) after.set(key, known);
      else after.set(key, { revision, signature, resource, order: ++this.#order, at: position });
    }
    this.#posted = after;
    return this.#order > start;
  }

  /** What was posted after `order`, in order. */
  since(order: number): readonly Resource[] {
    return this.#chosen((posted) => posted.order > order);
  }

  /** What a watcher that knows everything up to a revision may not have been told. */
  from(revision: number): readonly Resource[] {
    return this.#chosen((posted) => posted.at >= revision && posted.revision <= revision);
  }

  /** Nobody watches: what happens now is not followed. */
  forget(): void {
    this.#posted = undefined;
  }

  #chosen(wanted: (posted: Posted) => boolean): readonly Resource[] {
    return [...(this.#posted?.values() ?? [])]
      .filter(wanted)
      .sort((a, b) => a.order - b.order)
      .map(({ resource }) => resource);
  }
}

/** PURE: a status without the wording of conditions that hold: "last heard" changes with every heartbeat, and says nothing new. */
export function signatureOf({ status }: Resource): string {
  const { conditions, ...rest } = (status ?? {}) as { readonly conditions?: readonly Readonly<Record<string, unknown>>[] };
  const said = (conditions ?? []).map(({ type, status: holds, reason, message, observedGeneration }) =>
    holds === 'True' ? [type, holds, reason, observedGeneration] : [type, holds, reason, observedGeneration, message],
  );
  return JSON.stringify([rest, said]);
}
