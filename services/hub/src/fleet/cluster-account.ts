/** The accounts of several agents of one cluster as one. Pure. */
import type { AgentStatus, PolicyIssue, ProxyStatus, RolloutStatus } from '@hawser/wire/messages.ts';
import type { AgentAccount } from './agent-accounts.ts';
import { RolloutReports } from './rollout-reports.ts';

const MAX_WARNINGS = 50;
const MAX_ISSUES = 100;

/** What a cluster's agents say together: the proxies of all, the revision that all of them serve. */
export function together(agents: readonly AgentAccount[]): AgentAccount {
  const statuses = agents.flatMap(({ status }) => (status === undefined ? [] : [status]));
  return {
    status: statuses.length === 0 ? undefined : statusOf(statuses),
    lastHeardAt: Math.max(...agents.map((agent) => agent.lastHeardAt)),
    revisionSince: Math.max(...agents.map((agent) => agent.revisionSince)),
    // Each agent accounts for its own proxies: sums are seldom asked for.
    get reports() {
      return reportsOf(agents);
    },
  };
}

function statusOf(statuses: readonly AgentStatus[]): AgentStatus {
  const [first, ...others] = [...statuses].sort((a, b) => a.epoch - b.epoch || a.revision - b.revision) as [AgentStatus, ...AgentStatus[]];
  const publisher = statuses.find((status) => status.publisher === true) ?? first;
  const warnings = [...first.warnings, ...others.flatMap((status) => status.warnings)].sort((a, b) => (a.at < b.at ? -1 : 1));
  return {
    ...publisher,
    epoch: first.epoch,
    revision: first.revision,
    ready: statuses.some((status) => status.ready),
    warnings: warnings.slice(-MAX_WARNINGS),
    proxies: proxiesOf(statuses),
    policies: policiesOf(statuses),
  };
}

/** A policy that one agent holds back is not served as written in the cluster. */
function policiesOf(statuses: readonly AgentStatus[]): PolicyIssue[] {
  const issues = statuses.flatMap((status) => status.policies ?? []);
  return [...new Map(issues.map((issue) => [JSON.stringify({ ...issue, at: '' }), issue])).values()].slice(0, MAX_ISSUES);
}

/** A proxy that moved from one agent to another is counted where it connected last. */
function proxiesOf(statuses: readonly AgentStatus[]): ProxyStatus[] {
  const byName = new Map<string, ProxyStatus>();
  for (const proxy of statuses.flatMap((status) => status.proxies)) {
    const known = byName.get(proxy.proxy);
    if (known === undefined || known.connectedAt < proxy.connectedAt) byName.set(proxy.proxy, proxy);
  }
  return [...byName.values()];
}

function reportsOf(agents: readonly AgentAccount[]): RolloutReports {
  const sums = new RolloutReports();
  for (const { reports } of agents) {
    for (const { status, at } of reports.from(0)) {
      const known = sums.get(status.revision);
      sums.put(known === undefined ? { status, at } : { status: sum(known.status, status), at: Math.max(known.at, at) });
    }
  }
  return sums;
}

function sum(a: RolloutStatus, b: RolloutStatus): RolloutStatus {
  return { ...a, expected: a.expected + b.expected, acked: a.acked + b.acked, nacks: [...a.nacks, ...b.nacks] };
}
