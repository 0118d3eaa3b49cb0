/**
 * What the fleet has made of a policy: `Programmed` from the proxies' own answers, and `Ready`, the sum of everything that is
 * known. Evidence that is missing or stale makes Unknown, never True (RELIABILITY.md R12). Pure but for the context's clock.
 */
import { bareName } from '@hawser/model/adoption.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { PolicyIssue } from '@hawser/wire/messages.ts';
import type { Condition } from '../hub-core.ts';
import { isDisplaced, placeKey } from '../placement/adopted.ts';
import { isPlacedOn } from '../placement/place.ts';
import { placedRevision } from '../placement/spec-in-force.ts';
import { currentRollout, type FleetContext } from './fleet-context.ts';
import { connectionOf, DISCONNECTED_AFTER_MS, type Rollout } from './rollout.ts';

/** A condition without what all of them have alike. */
type Verdict = Omit<Condition, 'type' | 'observedGeneration'>;

/** `Programmed` and `Ready` of a policy, given the conditions that the hub makes by itself. */
export function policyConditions(resource: Resource, own: readonly Condition[], context: FleetContext): readonly Condition[] {
  const { generation } = resource.metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const seen = evidenceOf(resource, context);
  const programmed = { ...programmedVerdict(resource, seen, context), type: 'Programmed', ...observed };
  return [programmed, { ...readyVerdict([...own, programmed], seen), type: 'Ready', ...observed }];
}

/** What agents of the clusters that get a policy say of it. */
interface Evidence {
  readonly key: string;
  readonly revision: number;
  readonly placed: readonly RosterMember[];
  /** Of the version at this revision alone. */
  readonly issues: readonly (PolicyIssue & { readonly cluster: string })[];
  /** Clusters that are silent, with the time of their last word (Unix milliseconds). */
  readonly silent: readonly { readonly cluster: string; readonly heardAt: number | undefined }[];
}

function evidenceOf(resource: Resource, context: FleetContext): Evidence {
  const { kind, metadata } = resource;
  const name = bareName(metadata.name);
  const { desired } = context.distribution;
  const revision = placedRevision(resource);
  const placed = (desired?.members ?? []).filter(
    (member) => isPlacedOn(resource, member) && !isDisplaced(resource, member.name, desired?.adopted),
  );
  const input = {
    account: (name: string) => context.accounts.get(name),
    busConnectedSince: context.busConnectedSince(),
    now: context.now(),
  };
  const issues = placed.flatMap(({ name: cluster }) => {
    const status = context.accounts.get(cluster)?.status;
    if (status === undefined || status.epoch !== desired?.epoch || status.revision < revision) return [];
    const own = (status.policies ?? []).filter(
      (issue) => issue.kind === kind && issue.namespace === (metadata.namespace ?? '') && issue.name === name,
    );
    return own.map((issue) => ({ ...issue, cluster }));
  });
  const silent = placed
    .filter(({ name }) => connectionOf(name, input) === 'disconnected')
    .map(({ name: cluster }) => ({ cluster, heardAt: context.accounts.get(cluster)?.lastHeardAt }));
  return { key: placeKey(resource), revision, placed, issues, silent };
}

function programmedVerdict(resource: Resource, seen: Evidence, context: FleetContext): Verdict {
  const { desired } = context.distribution;
  const written = resource.metadata.creationTimestamp;
  const pending: Verdict = { status: 'Unknown', reason: 'Pending', message: 'not on the bus yet', ...since(written) };
  if (desired === undefined || !Number.isInteger(seen.revision)) return pending;
  if (seen.placed.length === 0) {
    const message = desired.members.length === 0 ? 'no cluster has joined' : 'its selector matches no cluster';
    return { ...pending, reason: 'NoCluster', message };
  }
  const rollout = currentRollout(context, seen.revision);
  return refusalOf(seen, rollout) ?? answered(seen, rollout, context) ?? pending;
}

/** The agents' account of the policy itself, else a proxy's no to its revision. */
function refusalOf({ key, placed, issues }: Evidence, { nacks, answeredAt }: Rollout): Verdict | undefined {
  const grave = issues.find(({ state }) => state !== 'PARTIAL');
  if (grave !== undefined) {
    const { cluster, proxy, type, resource, message, at } = grave;
    const who = proxy === undefined ? cluster : `${cluster}/${proxy} refused ${type} ${resource}`;
    const reason = grave.state === 'REFUSED' ? 'Rejected' : 'NotCompiled';
    return { status: 'False', reason, message: `${who}: ${message}`, lastTransitionTime: at };
  }
  const nack = nacks.find(
    ({ cluster, policy }) => (policy === undefined || policy === key) && placed.some((member) => member.name === cluster),
  );
  if (nack === undefined) return undefined;
  const { cluster, proxy, type, resource, message } = nack;
  const what = type === undefined ? '' : ` refused ${type} ${resource}`;
  return { status: 'False', reason: 'Rejected', message: `${cluster}/${proxy}${what}: ${message}`, ...sinceMs(answeredAt) };
}

function answered({ revision, placed, silent }: Evidence, rollout: Rollout, context: FleetContext): Verdict | undefined {
  const base: Verdict = { status: 'Unknown', reason: 'Pending', message: '', ...sinceMs(context.distribution.committedAt(revision)) };
  if (context.busConnectedSince() === undefined)
    return { ...base, reason: 'StaleEvidence', message: 'the hub has no connection to the bus: what the agents serve is not known' };
  if (silent.length === placed.length) {
    const heard = Math.max(...silent.map(({ heardAt }) => heardAt ?? 0));
    const message = `no agent of its clusters is connected: ${silent.map(silence).join(', ')}`;
    return { ...base, reason: 'StaleEvidence', message, ...sinceMs(heard === 0 ? undefined : heard + DISCONNECTED_AFTER_MS) };
  }
  const names = new Set(placed.map(({ name }) => name));
  const waiting = rollout.waitingFor.filter((name) => names.has(name));
  if (waiting.length > 0) return { ...base, message: `waiting for ${waiting.join(', ')}` };
  if (context.distribution.published < revision) return undefined;
  const absent = silent.length === 0 ? '' : `; not connected: ${silent.map(silence).join(', ')}`;
  return { status: 'True', reason: 'Programmed', message: `every connected proxy has it${absent}`, ...sinceMs(rollout.answeredAt) };
}

/** True when everything else is, in all clusters, as it is written. */
function readyVerdict(conditions: readonly Condition[], { issues, silent }: Evidence): Verdict {
  for (const status of ['False', 'Unknown'] as const) {
    const found = conditions.find((condition) => condition.status === status);
    if (found !== undefined) {
      const { reason, message, type, lastTransitionTime } = found;
      return { status, reason, message: `${type}: ${message}`, ...since(lastTransitionTime) };
    }
  }
  const [partial] = issues;
  if (partial !== undefined) {
    const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
    const message = `${partial.cluster}: ${partial.field ?? ''}: ${partial.message}${more}`;
    return { status: 'False', reason: 'PartlyServed', message, ...since(partial.at) };
  }
  if (silent.length > 0) return { status: 'Unknown', reason: 'ClusterSilent', message: `not connected: ${silent.map(silence).join(', ')}` };
  const last = conditions
    .map(({ lastTransitionTime }) => lastTransitionTime ?? '')
    .sort()
    .at(-1);
  return {
    status: 'True',
    reason: 'Ready',
    message: 'it is served as written wherever it is placed',
    ...since(last === '' ? undefined : last),
  };
}

function silence({ cluster, heardAt }: Evidence['silent'][number]): string {
  return heardAt === undefined ? `${cluster} (never heard)` : `${cluster} (last heard ${new Date(heardAt).toISOString()})`;
}

function since(time: string | undefined): { lastTransitionTime?: string } {
  return time === undefined ? {} : { lastTransitionTime: time };
}

function sinceMs(time: number | undefined): { lastTransitionTime?: string } {
  return time === undefined || time === 0 ? {} : { lastTransitionTime: new Date(time).toISOString() };
}
