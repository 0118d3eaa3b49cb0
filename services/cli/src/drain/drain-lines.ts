/** PURE: drains and plans as text. */
import { counted } from '@hawser/model/counted.ts';
import type { DrainSpec } from '@hawser/model/drain.ts';
import { scopeText } from '@hawser/model/drain-scope.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { DrainPlan, DrainStatusFields, LocalDrainView } from '@hawser/wire/drain.ts';
import { shortSpan } from '../output/age.ts';
import { HEADROOM } from '../output/headroom.ts';
import { type Column, tableLines } from '../output/table.ts';

/** A Drain as the hub answers with it. */
export type DrainResource = Resource<DrainSpec, DrainStatusFields>;

const ENDED: readonly string[] = ['Restored', 'Interrupted', 'Failed'];

/** Whether nothing moves it any more. */
export function isOver({ status }: DrainResource): boolean {
  return status !== undefined && ENDED.includes(status.phase);
}

/** What would be moved, where to, and what stands against it. */
export function planLines(plan: DrainPlan, scope: DrainSpec['scope']): string[] {
  const { clusters, services, urgency, steps, waves = [], headroom, refusals } = plan;
  const course =
    urgency === 'emergency' ? 'at once, as an emergency' : `in steps of ${steps.map(({ percent }) => `${percent} %`).join(', ')}`;
  return [
    `${scopeText(scope)} (${clusters.length === 0 ? 'no cluster' : clusters.join(', ')}): ${counted(services.length, 'service')}, ${course}`,
    ...waves.map(
      ({ names, services: of }) => `  ${names.length === 0 ? 'what is left' : names.join(' and ')}: ${of.join(', ') || 'nothing'}`,
    ),
    ...(headroom.length === 0 ? ['nobody would get more requests than now'] : ['', ...tableLines(HEADROOM, headroom)]),
    ...(refusals.length === 0 ? [] : ['', ...refusals.map(({ rule, message }) => `refused by ${rule}: ${message}`)]),
  ];
}

/** A drain, in a few lines. */
export function drainLines(drain: DrainResource, now: number): string[] {
  const { metadata, spec, status } = drain;
  const title = `${spec.urgency === 'emergency' ? 'emergency drain' : 'drain'} ${metadata.name} of ${scopeText(spec.scope)}: ${spec.reason ?? ''}`;
  if (status === undefined) return [title];
  const { phase, percent, step, waiting, message, proxies } = status;
  const state = `  ${phase}${step === undefined ? '' : ` ${step}`}${waveText(status)}: ${percent} % goes elsewhere, ${seenText(status)}`;
  const rest = [
    ...(isOver(drain) ? [] : [`${proxies.acked} of ${proxies.expected} proxies have acknowledged this step`]),
    ...(message === undefined ? [] : [message]),
    ...(waiting === undefined ? [] : [`waits: ${waiting}`]),
    ...(status.expiresAt === undefined ? [] : [`expires ${expiryText(drain, now)}`]),
  ];
  return [title, state, ...rest.map((line) => `  ${line}`)];
}

/** One line for a log that nobody rewrites. */
export function plainLine({ metadata, status }: DrainResource): string {
  if (status === undefined) return metadata.name;
  const { phase, step, percent, waiting, message } = status;
  const at = `${phase}${step === undefined ? '' : ` ${step}`}${waveText(status)}`;
  // A countdown would be a line a second.
  const steady = waiting === undefined || /^it stays at this step/.test(waiting) ? undefined : waiting.replace(/\d+\.\d+ %/, 'too much');
  const why = [message, steady].filter((text) => text !== undefined).join('; ');
  return `${metadata.name}: ${at}, ${percent} % goes elsewhere${why === '' ? '' : `: ${why}`}`;
}

/** Drains as a table. */
export function drainTable(drains: readonly DrainResource[], now: number): string[] {
  if (drains.length === 0) return ['nothing is drained'];
  const columns: Column<DrainResource>[] = [
    { title: 'NAME', cell: ({ metadata }) => metadata.name },
    { title: 'SCOPE', cell: ({ spec }) => scopeText(spec.scope) },
    { title: 'URGENCY', cell: ({ spec }) => spec.urgency ?? 'graceful' },
    { title: 'PHASE', cell: ({ status }) => [status?.phase, status?.step].filter((text) => text !== undefined).join(' ') },
    { title: 'AWAY', cell: ({ status }) => `${status?.percent ?? 0} %` },
    { title: 'SEEN', cell: ({ status }) => (status?.residualPercent === undefined ? '?' : `${status.residualPercent} %`) },
    { title: 'EXPIRES', cell: (drain) => (drain.status?.expiresAt === undefined ? '' : expiryText(drain, now)) },
    { title: 'REASON', cell: ({ spec }) => spec.reason ?? '' },
  ];
  const waits = drains.flatMap(({ metadata, status }) => {
    const why = status?.waiting ?? status?.message;
    return why === undefined ? [] : [`${metadata.name}: ${why}`];
  });
  return [...tableLines(columns, drains), ...(waits.length === 0 ? [] : ['', ...waits])];
}

/** Drains that agents made by themselves. */
export function localDrainLines(drains: readonly LocalDrainView[], now: number): string[] {
  return drains.map(({ cluster, by, until, reason }) => {
    const left = shortSpan(Date.parse(until) - now);
    return `cluster ${cluster} is drained by its own agent for ${left} more, by ${by}: ${reason} (hawser drain start --cluster ${cluster} --emergency takes it over)`;
  });
}

function waveText({ waves }: DrainStatusFields): string {
  if (waves === undefined) return '';
  return waves.length === 0 ? ' (what no wave selects)' : ` (${waves.join(' and ')})`;
}

function expiryText({ status }: DrainResource, now: number): string {
  const left = Date.parse(status?.expiresAt ?? '') - now;
  const times = status?.renewals ?? 0;
  const renewed = times === 0 ? '' : `, renewed ${times === 1 ? 'once' : `${times} times`}`;
  return left <= 0 ? 'its time is over' : `in ${shortSpan(left)}${renewed}`;
}

function seenText({ residualPercent, unobserved, phase }: DrainStatusFields): string {
  if (residualPercent !== undefined) return `${residualPercent} % of the requests are seen to go there`;
  return unobserved === undefined ? `and it is ${phase.toLowerCase()}` : `unobserved: ${unobserved}`;
}
