/** What a revision did to the proxies of the fleet, by the agents' own reports. Pure. */
import type { RolloutAnswer } from '@hawser/wire/hub-api.ts';
import type { AgentStatus, ProxyStatus, RolloutStatus } from '@hawser/wire/messages.ts';
import type { AgentAccount } from './agent-accounts.ts';
import type { RolloutReport } from './rollout-reports.ts';

/** What the answer is made of. All times are Unix milliseconds. */
export interface RolloutInput {
  readonly epoch: number;
  readonly revision: number;
  /** The newest revision that is on the bus. */
  readonly published: number;
  /** When the revision was committed, if this hub remembers. */
  readonly committedAt: number | undefined;
  /** While the bus is down nothing is complete: silence says nothing about the agents. */
  readonly busConnectedSince: number | undefined;
  /** The newest revision when this hub started: reports of older ones went to its predecessor. */
  readonly startRevision: number;
  readonly members: readonly string[];
  readonly account: (cluster: string) => AgentAccount | undefined;
  /** The agents of a cluster, each of which accounts for its own proxies; without it, the cluster has one. */
  readonly replicas?: (cluster: string) => readonly AgentAccount[];
  /** The policy whose last write the revision is, `KIND/NAMESPACE/NAME`. */
  readonly policy?: () => string | undefined;
  readonly now: number;
}

/** The wire's answer, and what the hub itself wants to know. */
export type Rollout = RolloutAnswer & {
  /** When the last of its answers came, Unix milliseconds; 0 for none. */
  readonly answeredAt: number;
  /** Connected clusters that have said nothing of the revision yet: how many of their proxies it concerns is not known. */
  readonly unaccounted: readonly string[];
};

/** An agent that said nothing for this long is disconnected; after a start or an outage of the bus each has this long to speak. */
export const DISCONNECTED_AFTER_MS = 15_000;
/** A status that shows the revision stands in for a lost report after this long. */
const REPORT_LOST_AFTER_MS = 2000;

interface Accounted {
  readonly expected: number;
  readonly acked: number;
  readonly nacks: RolloutStatus['nacks'];
  readonly at: number;
  readonly settled: boolean;
}

/** The answer at this moment; `complete` when every connected agent has accounted for the revision or a newer one. */
export function rolloutAnswer(input: RolloutInput): Rollout {
  const connection = new Map(input.members.map((cluster) => [cluster, connectionOf(cluster, input)]));
  const accounts = new Map(input.members.map((cluster) => [cluster, accountedBy(cluster, input)]));
  const waitingFor = input.members.filter((name) => connection.get(name) !== 'disconnected' && accounts.get(name)?.settled !== true);
  const known = [...accounts].flatMap(([cluster, account]) => (account === undefined ? [] : [{ cluster, ...account }]));
  const lastAt = Math.max(0, ...known.map((account) => account.at));
  return {
    epoch: input.epoch,
    revision: input.revision,
    complete: input.published >= input.revision && input.busConnectedSince !== undefined && waitingFor.length === 0,
    proxies: {
      expected: sum(known, 'expected'),
      acked: sum(known, 'acked'),
      nacked: known.reduce((all, one) => all + refusers(one), 0),
    },
    nacks: known.flatMap(({ cluster, nacks }) => nacks.map((nack) => ({ cluster, ...nack }))),
    waitingFor,
    disconnected: input.members.filter((name) => connection.get(name) === 'disconnected'),
    answeredAt: lastAt,
    unaccounted: waitingFor.filter((name) => accounts.get(name) === undefined),
    durationMs: input.committedAt === undefined ? 0 : Math.max(0, lastAt - input.committedAt),
  };
}

/** Whether an agent is there: `awaited` when it was not heard yet, but may be on its way. */
export function connectionOf(
  cluster: string,
  input: Pick<RolloutInput, 'account' | 'busConnectedSince' | 'now'>,
): 'connected' | 'awaited' | 'disconnected' {
  const heard = input.account(cluster)?.lastHeardAt;
  if (heard !== undefined && input.now - heard <= DISCONNECTED_AFTER_MS) return 'connected';
  const { busConnectedSince } = input;
  return busConnectedSince !== undefined && input.now - busConnectedSince > DISCONNECTED_AFTER_MS ? 'disconnected' : 'awaited';
}

/** All agents of a cluster together: it has answered when each of them has. */
function accountedBy(cluster: string, input: RolloutInput): Accounted | undefined {
  const agents = input.replicas?.(cluster) ?? [input.account(cluster)];
  const accounts = agents.map((account) => (account === undefined ? undefined : accountOf(account, input)));
  const known = accounts.filter((account) => account !== undefined);
  if (known.length === 0) return undefined;
  return {
    expected: sum(known, 'expected'),
    acked: sum(known, 'acked'),
    nacks: known.flatMap((account) => account.nacks),
    at: Math.max(...known.map((account) => account.at)),
    settled: known.length === accounts.length && known.every((account) => account.settled),
  };
}

function accountOf(account: AgentAccount, input: RolloutInput): Accounted | undefined {
  const report = reportFor(account, input);
  return report === undefined ? byStatus(account, input) : { ...report.status, at: report.at, settled: isSettled(report) };
}

/** The first settled report of the revision or a newer one, else the first; none when the revision's own went to an earlier hub. */
function reportFor({ reports }: AgentAccount, { epoch, revision, startRevision }: RolloutInput): RolloutReport | undefined {
  const { oldest } = reports;
  if (oldest === undefined || (oldest > revision && revision <= startRevision)) return undefined;
  let first: RolloutReport | undefined;
  for (const report of reports.from(revision)) {
    if (report.status.epoch !== epoch) continue;
    if (isSettled(report)) return report;
    first ??= report;
  }
  return first;
}

/** Proxies that refused something; one may have refused several policies. */
function refusers({ nacks }: { readonly nacks: RolloutStatus['nacks'] }): number {
  return new Set(nacks.map(({ proxy }) => proxy)).size;
}

function isSettled({ status }: RolloutReport): boolean {
  return status.expected === status.acked + refusers(status);
}

/**
 * Without a report (sent to an earlier hub, or lost) the proxies' own revisions tell, and what the agent says of the policy:
 * every connected proxy counts as expected then, because which of them had to change is not known.
 */
function byStatus(account: AgentAccount, input: RolloutInput): Accounted | undefined {
  const { status } = account;
  if (status === undefined || status.epoch !== input.epoch || status.revision < input.revision) return undefined;
  if (input.revision > input.startRevision && input.now - account.revisionSince < REPORT_LOST_AFTER_MS) return undefined;
  const behind = status.proxies.filter((proxy) => proxy.revision < input.revision);
  const nacks = behind.flatMap(nackOf);
  const refused = refusedIn(status, input.policy?.()).filter(({ proxy }) => !nacks.some((nack) => nack.proxy === proxy));
  const expected = new Set([...status.proxies, ...refused].map(({ proxy }) => proxy)).size;
  const all = [...nacks, ...refused];
  const acked = expected - behind.length - refused.length;
  return { expected, acked, nacks: all, at: account.revisionSince, settled: nacks.length === behind.length };
}

/** The proxy that refused a policy, when the agent still holds it back. */
function refusedIn({ policies = [] }: AgentStatus, policy: string | undefined): RolloutStatus['nacks'] {
  return policies.flatMap(({ kind, namespace, name, state, proxy, type, resource, message }) => {
    if (state !== 'REFUSED' || proxy === undefined || `${kind}/${namespace}/${name}` !== policy) return [];
    return [{ proxy, message, policy, ...(type === undefined ? {} : { type }), ...(resource === undefined ? {} : { resource }) }];
  });
}

/** The proxy with its first rejected type, or nothing. */
function nackOf(proxy: ProxyStatus): { proxy: string; message: string }[] {
  const rejected = Object.entries(proxy.types).find(([, type]) => type.state === 'NACKED');
  if (rejected === undefined) return [];
  const [type, { error, resource }] = rejected;
  return [{ proxy: proxy.proxy, message: `${type}${resource === undefined ? '' : ` ${resource}`}: ${error ?? 'rejected'}` }];
}

function sum(known: readonly Pick<Accounted, 'expected' | 'acked'>[], field: 'expected' | 'acked'): number {
  return known.reduce((all, one) => all + one[field], 0);
}
