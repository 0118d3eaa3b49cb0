/** PURE: how many proxies have what a rotation brings: its root in the bundles, or certificates of its intermediate. */
import { rootMark } from '@hawser/wire/trust.ts';
import { type Evidence, type MemberEvidence, presenceOf } from './rotation-evidence.ts';
import type { Rotation } from './rotation-state.ts';

/** Proxies of the clusters that it is for, by what their agents account for. */
export interface TrustAcknowledged {
  /** Every one of these clusters speaks. */
  readonly complete: boolean;
  readonly expected: number;
  readonly acked: number;
  /** Those that fell silent a moment ago, and those that are away. */
  readonly waitingFor: readonly string[];
  readonly disconnected: readonly string[];
}

/** A root is for all that trust the cluster; an intermediate for its own proxies. */
export function trustAcknowledged(rotation: Rotation, evidence: Evidence): TrustAcknowledged {
  const own = evidence.members.filter(({ cluster }) => cluster === rotation.cluster);
  const fresh = own
    .flatMap(({ agents }) => agents.flatMap(({ trust }) => trust?.generations ?? []))
    .find((one) => one.rotation === rotation.id);
  const members = rotation.kind === 'intermediate' ? own : evidence.members;
  const counts = members.flatMap((member) =>
    rotation.kind === 'intermediate' ? identities(member, fresh?.state) : roots(member, fresh?.root, evidence),
  );
  const named = (wanted: string): string[] =>
    members.filter((member) => presenceOf(member, evidence, rotation.awayAfterMs) === wanted).map(({ cluster }) => cluster);
  const [waitingFor, disconnected] = [named('silent'), named('away')];
  const sum = (field: 'expected' | 'acked'): number => counts.reduce((total, one) => total + one[field], 0);
  return { complete: waitingFor.length === 0, expected: sum('expected'), acked: sum('acked'), waitingFor, disconnected };
}

interface Count {
  readonly expected: number;
  readonly acked: number;
}

function roots({ agents }: MemberEvidence, root: string | undefined, { trustDomain }: Evidence): Count[] {
  return agents.flatMap(({ trust }) => {
    const bundle = trust?.bundles.find((one) => one.trustDomain === trustDomain);
    if (bundle === undefined) return [];
    const isThere = root !== undefined && bundle.roots.includes(rootMark(root));
    return [{ expected: bundle.expected, acked: isThere ? bundle.acked : 0 }];
  });
}

function identities({ agents }: MemberEvidence, state: string | undefined): Count[] {
  return agents.flatMap(({ trust }) => {
    if (trust === undefined) return [];
    const { onActive, onOld } = trust.identities;
    return [{ expected: onActive + onOld, acked: state === 'active' ? onActive : 0 }];
  });
}
