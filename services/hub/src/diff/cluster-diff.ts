/** What proposed writes would do to each cluster's proxies, by the word of its agent. */
import type { RosterMember } from '@hawser/model/fleet.ts';
import { modeOf } from '@hawser/model/policy-mode.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { ClusterDifference } from '@hawser/wire/hub-api.ts';
import { type DiffRequest, DiffResponse } from '@hawser/wire/messages.ts';
import { Compile } from 'typebox/compile';
import { adoptable } from '../adoption/adoption-plan.ts';
import { type AskParts, askAgent } from '../fleet/ask-agent.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { connectionOf } from '../fleet/rollout.ts';
import { type ClusterChanges, clusterChanges, type OwnPolicy } from './cluster-changes.ts';
import type { Planned } from './resource-plan.ts';

const response = Compile(DiffResponse);
/** The agent ends its own work after 20 s; requests have 30 s in all. */
const TIMEOUT_MS = 22_000;
/** A request is one message of NATS: 1 MiB with its envelope. */
const MAX_REQUEST_BYTES = 900_000;

/** Asks the clusters that would get something else than now, all at once; each answers or is named with the reason why it does not. */
export async function clusterDifferences(
  parts: AskParts,
  planned: readonly Planned[],
  only: readonly string[] | undefined,
): Promise<readonly ClusterDifference[]> {
  const { members = [], adopted } = parts.context.distribution.desired ?? {};
  const unknown = (only ?? []).filter((name) => !members.some((member) => member.name === name));
  const asked = members.flatMap((member) => {
    if (only !== undefined && !only.includes(member.name)) return [];
    const found = clusterChanges(planned, member, { adopted, waiting: waitingIn(member, parts.context) });
    return found.changes.length + found.notes.length === 0 ? [] : [clusterDifference(parts, member.name, found)];
  });
  return [...(await Promise.all(asked)), ...unknown.map((name) => unanswered(name, 'there is no such cluster'))];
}

/** By the word of its agent since this hub began. */
function waitingIn({ name: cluster, policies }: RosterMember, { found, now }: FleetContext): OwnPolicy['waiting'] {
  return (kind, namespace, name) => {
    if (modeOf(policies, namespace) !== 'Authoritative') return undefined;
    const objects = found?.get(cluster)?.account.objects ?? [];
    const object = objects.find((one) => one.kind === kind && one.namespace === namespace && one.name === name);
    return object === undefined ? undefined : adoptable(object, cluster, new Date(now()));
  };
}

async function clusterDifference(parts: AskParts, cluster: string, { changes, notes }: ClusterChanges): Promise<ClusterDifference> {
  const said = notes.length === 0 ? {} : { notes: [...notes] };
  if (changes.length === 0) return { ...unchanged(cluster, parts.context.distribution.desired?.revision ?? 0), ...said };
  return { ...(await answerOf(parts, cluster, { changes })), ...said };
}

async function answerOf(parts: AskParts, cluster: string, body: DiffRequest): Promise<ClusterDifference> {
  if (JSON.stringify(body).length > MAX_REQUEST_BYTES)
    return unanswered(cluster, 'this is too much for one question: ask for fewer resources');
  const { accounts, busConnectedSince, now } = parts.context;
  const connection = connectionOf(cluster, { account: (name) => accounts.get(name), busConnectedSince: busConnectedSince(), now: now() });
  if (connection === 'disconnected') return unanswered(cluster, 'its agent is not connected');
  try {
    const isAnswer = (value: unknown): value is DiffResponse => response.Check(value);
    const answer = await askAgent(parts, { cluster, method: 'diff', body, timeoutMs: TIMEOUT_MS, isAnswer });
    if ('error' in answer) return unanswered(cluster, answer.error);
    const { revision, resources, resourcesOmitted, proxies, problems } = answer;
    return { cluster, state: 'answered', revision, resources, resourcesOmitted, proxies, problems };
  } catch (error) {
    return unanswered(cluster, messageOf(error));
  }
}

function unanswered(cluster: string, reason: string): ClusterDifference {
  return { ...unchanged(cluster, 0), state: 'unknown', reason };
}

function unchanged(cluster: string, revision: number): ClusterDifference {
  return { cluster, state: 'answered', revision, resources: [], resourcesOmitted: 0, proxies: 0, problems: [] };
}
