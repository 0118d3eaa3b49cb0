/** Everything that was read of a cluster's policy → what is told to the hub, within bounds: what is beyond them is named, the rest goes on. Pure. */
import { MAX_ADOPTED, MAX_ADOPTED_TOTAL_BYTES, MAX_NAMED_OMISSIONS } from '@hawser/model/adoption.ts';
import type { FollowedPolicies, FoundPolicy, OmittedPolicy } from '@hawser/wire/found-policies.ts';
import type { PolicyAccount } from '../policy-source.ts';
import type { PolicyFacts } from './policy-facts.ts';

/** What was read of one kind. */
export interface ReadKind extends Pick<FollowedPolicies, 'kind' | 'state'> {
  readonly problem: string | undefined;
  /** By `NAMESPACE/NAME`. */
  readonly objects: ReadonlyMap<string, PolicyFacts>;
}

/** Kinds and objects in the order of their names, so that the same objects make the same account. */
export function policyAccount(kinds: readonly ReadKind[]): PolicyAccount {
  const objects: FoundPolicy[] = [];
  const omitted: OmittedPolicy[] = [];
  let total = 0;
  for (const { kind, objects: found } of [...kinds].sort((a, b) => compare(a.kind, b.kind))) {
    for (const [, facts] of [...found].sort(([a], [b]) => compare(a, b))) {
      const reason = facts.omitted ?? beyond(objects.length, total + facts.bytes);
      if (facts.policy === undefined || reason !== undefined) {
        omitted.push({ kind, namespace: facts.namespace, name: facts.name, reason: reason ?? 'it cannot be read' });
        continue;
      }
      total += facts.bytes;
      objects.push(facts.policy);
    }
  }
  return {
    kinds: kinds.map(({ kind, state, problem }) => ({ kind, state, ...(problem === undefined ? {} : { problem }) })),
    objects,
    omitted: omitted.slice(0, MAX_NAMED_OMISSIONS),
    omittedMore: Math.max(0, omitted.length - MAX_NAMED_OMISSIONS),
  };
}

function beyond(count: number, total: number): string | undefined {
  if (count >= MAX_ADOPTED) return `the hub takes in at most ${MAX_ADOPTED} objects of a cluster`;
  if (total <= MAX_ADOPTED_TOTAL_BYTES) return undefined;
  return `the hub takes in at most ${MAX_ADOPTED_TOTAL_BYTES / 1024} KiB of a cluster`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
