/** `hawser drill plan`, `readiness` and `calendar`. */

import type { Resource } from '@hawser/model/resource.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { DrillCalendarView, DrillPlanView, DrillReadinessView } from '@hawser/wire/drill-views.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print, printJson } from '../output/print.ts';
import type { ViewFlags } from '../views/status-command.ts';
import { drillPath } from './drill-runs.ts';
import { calendarLines, drillPlanLines, readinessLines } from './outlook-lines.ts';
import { planPath } from './run-command.ts';

/** Flags of `plan`. */
export interface DrillPlanFlags extends ViewFlags {
  readonly override?: readonly string[];
}

/** Flags of `calendar`. */
export interface CalendarFlags extends ViewFlags {
  readonly days?: string;
}

/** 0 when it may begin, 1 when a rule refuses it. */
export async function drillPlanCommand(name: string, flags: DrillPlanFlags): Promise<ExitCode> {
  const plan = (await connectHub(flags).send({ path: planPath(name, flags.override ?? []) })) as DrillPlanView;
  if (flags.output === 'json') printJson(plan);
  else for (const line of drillPlanLines(plan)) print(line);
  return plan.refusals.length === 0 ? EXIT.done : EXIT.failed;
}

/** 0 when the drill, or every drill, is ready; 1 when one needs attention. */
export async function readinessCommand(name: string | undefined, flags: ViewFlags): Promise<ExitCode> {
  const hub = connectHub(flags);
  const names =
    name === undefined
      ? ((await hub.send({ path: drillPath() })) as { items: readonly Resource[] }).items.map(({ metadata }) => metadata.name)
      : [name];
  const found: DrillReadinessView[] = [];
  for (const drill of names) found.push((await hub.send({ path: drillPath(drill, 'readiness') })) as DrillReadinessView);
  if (flags.output === 'json') printJson(name === undefined ? { items: found } : found[0]);
  else if (found.length === 0) note('there is no drill: hawser apply -f FILE makes one');
  else for (const line of found.flatMap((one) => readinessLines(one, Date.now()))) print(line);
  return found.every(({ state }) => state === 'Ready') ? EXIT.done : EXIT.failed;
}

/** The starts of all drills. */
export async function calendarCommand(flags: CalendarFlags): Promise<ExitCode> {
  if (flags.days !== undefined && !/^[0-9]{1,3}$/.test(flags.days))
    throw new AppError('usage', `--days ${flags.days}: expected a number from 1 to 366`);
  const query = flags.days === undefined ? '' : `?days=${flags.days}`;
  const calendar = (await connectHub(flags).send({ path: `/hawser/v1/drill-calendar${query}` })) as DrillCalendarView;
  if (flags.output === 'json') printJson(calendar);
  else for (const line of calendarLines(calendar)) print(line);
  return EXIT.done;
}
