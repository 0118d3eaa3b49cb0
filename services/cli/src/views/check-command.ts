/** `hawser check`: whether everything is well, part by part, and the way out where it is not. */
import type { FleetAnswer, ProxiesAnswer } from '@hawser/wire/hub-api.ts';
import type { Validity } from '@hawser/wire/messages.ts';
import type { HubClient } from '../client/hub-client.ts';
import { HubRefusal } from '../client/hub-refusal.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { ageOf, shortSpan } from '../output/age.ts';
import { print, printJson } from '../output/print.ts';
import type { ViewFlags } from './status-command.ts';

/** One thing that was looked at. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'fail';
  readonly what: string;
  readonly message: string;
}

/** What `/readyz` answers, as far as it is read here. */
export interface HubParts {
  readonly parts?: readonly { readonly name: string; readonly ready: boolean; readonly problem?: string }[];
}

/** Prints the findings; exit code 1 when one of them is a failure. */
export async function checkCommand(flags: ViewFlags): Promise<ExitCode> {
  const client = connectHub(flags);
  const parts = (await client.probe('/readyz')) as HubParts;
  const status = (await client.send({ path: '/hawser/v1/status' })) as FleetAnswer;
  return reportFindings([...hubFindings(parts, status), ...clusterFindings(status, Date.now()), ...(await proxyFindings(client))], flags);
}

/** Prints findings, a line each or as JSON; exit code 1 when one of them is a failure. */
export function reportFindings(findings: readonly Finding[], { output }: Pick<ViewFlags, 'output'>): ExitCode {
  const failed = findings.some(({ level }) => level === 'fail');
  if (output === 'json') printJson({ ok: !failed, findings });
  else for (const { level, what, message } of findings) print(`${level.padEnd(4)}  ${what}: ${message}`);
  return failed ? EXIT.failed : EXIT.done;
}

/** PURE: the hub itself. */
export function hubFindings({ parts = [] }: HubParts, { hub }: Pick<FleetAnswer, 'hub'>): Finding[] {
  const lag = hub.revision - hub.published;
  return [
    { level: 'ok', what: 'hub version', message: hub.version },
    ...parts.map(({ name, ready, problem }): Finding => {
      const message = `${problem ?? 'not ready'}; what is applied stays in force meanwhile, the log of the hub says more`;
      return ready ? { level: 'ok', what: `hub ${name}`, message: 'ready' } : { level: 'fail', what: `hub ${name}`, message };
    }),
    lag > 0
      ? { level: 'warn', what: 'hub outbox', message: `${lag} revisions are not on the bus yet; if that stays, look at NATS` }
      : { level: 'ok', what: 'hub outbox', message: `revision ${hub.revision} is published` },
  ];
}

/** PURE: every cluster. */
export function clusterFindings({ hub, clusters }: FleetAnswer, now: number): Finding[] {
  if (clusters.length === 0)
    return [{ level: 'warn', what: 'clusters', message: 'none has joined yet: hawser cluster join NAME --region REGION' }];
  return clusters.flatMap((cluster) => {
    const what = `cluster ${cluster.name}`;
    const warnings = cluster.warnings.map(
      ({ place, message }): Finding => ({ level: 'warn', what, message: place === '' ? message : `${place}: ${message}` }),
    );
    const agents = agentsFound(cluster.agents ?? [], { version: hub.version, now });
    return [{ what, ...agentFinding(cluster, { revision: hub.published, now }) }, ...agents.map((one) => ({ ...one, what })), ...warnings];
  });
}

type Agent = NonNullable<FleetAnswer['clusters'][number]['agents']>[number];

/** What is good for less than this share of its life should have been renewed: the agent does so at a third of it. */
const LAST_SHARE = 0.2;

function agentsFound(agents: readonly Agent[], hub: { readonly version: string; readonly now: number }): Omit<Finding, 'what'>[] {
  return agents.flatMap(({ replica, version, validity = [] }) => {
    const who = agents.length > 1 ? `agent ${replica}` : 'agent';
    const isOther = version !== undefined && version !== hub.version;
    const message = `${who} has version ${version ?? 'unknown'}${isOther ? `, the hub ${hub.version}: bring them together` : ''}`;
    const versions: Omit<Finding, 'what'> = { level: isOther ? 'warn' : 'ok', message };
    return [versions, ...validity.flatMap((one) => validityFinding(who, one, hub.now))];
  });
}

function validityFinding(who: string, { of, from, until }: Validity, now: number): Omit<Finding, 'what'>[] {
  const [begin, end] = [Date.parse(from), Date.parse(until)];
  if (Number.isNaN(end)) return [];
  if (end <= now) return [{ level: 'fail', message: `${who}: ${of} ended ${ageOf(until, now)} ago, at ${until}; its log says why` }];
  const left = `${who}: ${of} good for ${shortSpan(end - now)}, until ${until}`;
  const isLate = end - now < LAST_SHARE * (end - begin);
  if (!isLate) return [{ level: 'ok', message: left }];
  const wayOut =
    of === 'credentials' ? 'they should have been renewed by now, see that it reaches the hub' : 'nobody renews it by itself, plan ahead';
  return [{ level: 'warn', message: `${left}: ${wayOut}` }];
}

function agentFinding(
  { state, ready, revision, lastHeardAt }: FleetAnswer['clusters'][number],
  hub: { readonly revision: number; readonly now: number },
): Omit<Finding, 'what'> {
  if (state === 'UNKNOWN') return { level: 'fail', message: 'its agent was never heard: start it, or see its log' };
  const age = ageOf(lastHeardAt, hub.now);
  if (state === 'STALE')
    return { level: 'fail', message: `its agent is silent for ${age}; its endpoints are kept: see that it runs and reaches NATS` };
  if (!ready) return { level: 'warn', message: 'its agent is starting: /readyz?verbose on its admin port says what is missing' };
  const lag = hub.revision - revision;
  if (lag > 0) return { level: 'warn', message: `its agent is ${lag} revisions behind; if that stays, see its log` };
  return { level: 'ok', message: `heard ${age} ago, at revision ${revision}` };
}

async function proxyFindings(client: HubClient): Promise<Finding[]> {
  try {
    return proxiesFound((await client.send({ path: '/hawser/v1/proxies' })) as ProxiesAnswer);
  } catch (error) {
    if (error instanceof HubRefusal && error.status === 403) return [{ level: 'warn', what: 'proxies', message: error.message }];
    throw error;
  }
}

/** PURE: every proxy that is not well, and how many are. */
export function proxiesFound({ proxies }: ProxiesAnswer): Finding[] {
  const ill = proxies.flatMap(({ cluster, proxy, types }) =>
    Object.entries(types).flatMap(([type, { state, error }]): Finding[] => {
      const what = `proxy ${cluster}/${proxy}`;
      if (state === 'SYNCED') return [];
      if (state !== 'NACKED') return [{ level: 'warn', what, message: `${type} is not acknowledged yet` }];
      return [{ level: 'fail', what, message: `refuses ${type}: ${error ?? 'no reason given'}; what it had before stays in force` }];
    }),
  );
  const well = proxies.length - new Set(ill.map(({ what }) => what)).size;
  return [{ level: 'ok', what: 'proxies', message: `${well} of ${proxies.length} have what they should` }, ...ill];
}
