/** What proposed writes would do to each cluster's proxies, by the word of its agent. */
import type { RosterMember } from '@hawser/model/fleet.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { ClusterDifference } from '@hawser/wire/hub-api.ts';
import { type DiffRequest, DiffResponse } from '@hawser/wire/messages.ts';
import { Compile } from 'typebox/compile';
import { type AskParts, askAgent } from '../fleet/ask-agent.ts';
import { connectionOf } from '../fleet/rollout.ts';
import { isPlacedOn, policyBody } from '../placement/place.ts';
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
  const members = parts.context.distribution.desired?.members ?? [];
  const unknown = (only ?? []).filter((name) => !members.some((member) => member.name === name));
  const asked = members.flatMap((member) => {
    const changes = only === undefined || only.includes(member.name) ? changesFor(planned, member) : [];
    return changes.length === 0 ? [] : [clusterDifference(parts, member.name, { changes })];
  });
  return [...(await Promise.all(asked)), ...unknown.map((name) => unanswered(name, 'there is no such cluster'))];
}

/** What the cluster would be told: policies that come, differ or go there. */
function changesFor(planned: readonly Planned[], member: RosterMember): DiffRequest['changes'] {
  return planned.flatMap(({ kind, before, after, difference }) => {
    if (kind?.policy !== true || difference.fields.length === 0) return [];
    const { namespace, name } = difference;
    const place = { kind: kind.kind, namespace, name };
    // What an operation moves in steps changes nothing yet when it is written.
    const policy = after === undefined ? null : policyBody(after);
    if (policy === undefined) return [];
    if (after !== undefined && isPlacedOn(after, member)) return [{ ...place, policy }];
    return before !== undefined && isPlacedOn(before, member) ? [place] : [];
  });
}

async function clusterDifference(parts: AskParts, cluster: string, body: DiffRequest): Promise<ClusterDifference> {
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
  return { cluster, state: 'unknown', reason, revision: 0, resources: [], resourcesOmitted: 0, proxies: 0, problems: [] };
}
