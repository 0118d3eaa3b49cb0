/** `hawser drill run`, `status`, `approve`, `deny`, `abort`, `restore` and `note`. */
import { AppError } from '@hawser/runtime/app-error.ts';
import type { DrillPlanView } from '@hawser/wire/drill-views.ts';
import type { HubClient } from '../client/hub-client.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { follow } from '../output/follow.ts';
import type { Look } from '../output/live-lines.ts';
import { note, print, printJson } from '../output/print.ts';
import { typedConsent } from '../output/typed-consent.ts';
import type { ViewFlags } from '../views/status-command.ts';
import { drillPath, listRuns, namedRun, runPath } from './drill-runs.ts';
import { drillPlanLines } from './outlook-lines.ts';
import { type DrillRunResource, isRunOver, runLines, runLook, runTable } from './run-lines.ts';

/** Flags of `run`. */
export interface RunFlags extends ViewFlags {
  readonly reason: string;
  readonly live?: boolean;
  readonly dryRun?: boolean;
  readonly override?: readonly string[];
  readonly yes?: boolean;
  readonly wait: boolean;
  readonly timeout?: string;
}

/** Flags of the others. */
export interface SayFlags extends ViewFlags {
  readonly reason?: string;
  readonly wait?: boolean;
  readonly timeout?: string;
}

/** Flags of `status`. */
export interface RunStatusFlags extends ViewFlags {
  readonly all?: boolean;
  readonly watch?: boolean;
  readonly timeout?: string;
}

/** 0 when it passed (or was begun, with `--no-wait`), 1 when it was refused or came to something else, 4 when the time was over. */
export async function runDrillCommand(name: string, flags: RunFlags): Promise<ExitCode> {
  if (flags.live === true && flags.dryRun === true) throw new AppError('usage', 'give --live or --dry-run, not both');
  const timeoutMs = timeoutOf(flags);
  const hub = connectHub(flags);
  const mode = flags.live === true ? 'live' : flags.dryRun === true ? 'dryRun' : undefined;
  if (flags.yes !== true && !(await agreed(hub, name, { mode, overrides: flags.override ?? [] }))) return EXIT.failed;
  const body = {
    reason: flags.reason,
    ...(mode === undefined ? {} : { mode }),
    ...(flags.override === undefined ? {} : { overrides: [...new Set(flags.override)] }),
  };
  const run = (await hub.send({ method: 'POST', path: drillPath(name, 'run'), body })) as DrillRunResource;
  if (flags.wait) return await followRun(hub, run, { flags, timeoutMs });
  showRun(run, flags);
  return EXIT.done;
}

/** One run, or all that are under way; followed, it ends as `run` does. */
export async function runStatusCommand(name: string | undefined, flags: RunStatusFlags): Promise<ExitCode> {
  const hub = connectHub(flags);
  if (name !== undefined) {
    const run = await namedRun(hub, name);
    if (flags.watch === true) return await followRun(hub, run, { flags, timeoutMs: timeoutOf(flags) });
    showRun(run, flags);
    return EXIT.done;
  }
  const runs = await listRuns(hub);
  const shown = flags.all === true ? runs : runs.filter((run) => !isRunOver(run));
  if (flags.output === 'json') printJson({ items: shown });
  else for (const line of runTable(shown, Date.now())) print(line);
  return EXIT.done;
}

/**
 * Says something to a run. An abort is followed until everything is as it was, and has then done what it was for; a way back that was
 * asked for is followed too, and exits as `run` does.
 */
export async function sayToRunCommand(
  name: string,
  said: 'approve' | 'deny' | 'abort' | 'restore' | 'note',
  flags: SayFlags,
): Promise<ExitCode> {
  const timeoutMs = timeoutOf(flags);
  const hub = connectHub(flags);
  const found = await namedRun(hub, name);
  const body = flags.reason === undefined ? {} : { reason: flags.reason };
  const run = (await hub.send({ method: 'POST', path: runPath(found.metadata.name, said), body })) as DrillRunResource;
  if (said === 'abort' && flags.wait === true) {
    const ended = await followRun(hub, run, { flags, timeoutMs });
    return ended === EXIT.timedOut ? ended : EXIT.done;
  }
  if (said === 'restore' && flags.wait === true) return await followRun(hub, run, { flags, timeoutMs });
  showRun(run, flags);
  return EXIT.done;
}

interface Following {
  readonly flags: ViewFlags;
  /** Milliseconds. */
  readonly timeoutMs: number;
}

/** To its end. */
async function followRun(hub: HubClient, first: DrillRunResource, { flags, timeoutMs }: Following): Promise<ExitCode> {
  const lookOf = (seen: DrillRunResource): Look => runLook(seen, Date.now());
  const run = await follow(hub, first, { path: runPath(first.metadata.name), isOver: isRunOver, lookOf, flags, timeoutMs });
  showRun(run, flags);
  if (!isRunOver(run)) return EXIT.timedOut;
  return run.status?.outcome === 'Passed' ? EXIT.done : EXIT.failed;
}

function showRun(run: DrillRunResource, { output }: ViewFlags): void {
  if (output === 'json') printJson(run);
  else for (const line of runLines(run, Date.now())) print(line);
}

interface Asked {
  readonly mode: string | undefined;
  readonly overrides: readonly string[];
}

/** Shows what would be done; of a live run its name has to be typed. */
async function agreed(hub: HubClient, name: string, { mode, overrides }: Asked): Promise<boolean> {
  const plan = (await hub.send({ path: planPath(name, overrides) })) as DrillPlanView;
  for (const line of drillPlanLines(plan)) note(line);
  if ((mode ?? plan.mode) !== 'live') return true;
  if (plan.refusals.length > 0) return false;
  return await typedConsent({ name, verb: 'run it', unattended: 'it is live; say --yes to do it' });
}

/** Path of the plan of a drill with some rules left out. */
export function planPath(name: string, overrides: readonly string[]): string {
  const query = overrides.length === 0 ? '' : `?override=${encodeURIComponent(overrides.join(','))}`;
  return `${drillPath(name, 'plan')}${query}`;
}

function timeoutOf({ timeout }: { readonly timeout?: string }): number {
  return timeout === undefined ? Number.POSITIVE_INFINITY : durationFlag('--timeout', timeout);
}
