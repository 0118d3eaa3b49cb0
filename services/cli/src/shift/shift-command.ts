/** `hawser shift WORD NAME`: says a word to a shift, and shows it. */
import { kindNamed } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { ShiftStatus } from '@hawser/wire/shift.ts';
import type { HubClient } from '../client/hub-client.ts';
import { resourcePath } from '../client/resource-path.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { follow } from '../output/follow.ts';
import type { Look } from '../output/live-lines.ts';
import { print, printJson } from '../output/print.ts';
import type { ViewFlags } from '../views/status-command.ts';
import { isSettled, plainShift, shiftLines } from './shift-lines.ts';

/** What can be said. */
export type ShiftWord = 'status' | 'promote' | 'pause' | 'resume' | 'abort' | 'retry' | 'approve';

/** Flags of all of them. */
export interface ShiftFlags extends ViewFlags {
  readonly namespace?: string;
  readonly watch?: boolean;
  readonly timeout?: string;
  readonly reason?: string;
}

/** A shift in steps as the hub answers it. */
export type Shift = Resource<unknown, ShiftStatus>;

/** Runs the command. */
export async function shiftCommand(word: ShiftWord, name: string, flags: ShiftFlags): Promise<ExitCode> {
  const hub = connectHub(flags);
  const path = shiftPath(flags.namespace ?? 'default', name);
  const body = flags.reason === undefined ? {} : { reason: flags.reason };
  const answer = word === 'status' ? await hub.send({ path }) : await hub.send({ method: 'POST', path: `${path}/${word}`, body });
  const wanted = word === 'abort' ? 'RolledBack' : 'Done';
  return await shown(hub, inSteps(answer as Shift), { flags, wanted });
}

/** Where the hub has a shift. */
export function shiftPath(namespace: string, name: string): string {
  const kind = kindNamed('TrafficShift');
  if (kind === undefined) throw new Error('there is no kind TrafficShift');
  return resourcePath({ kind, namespace, name });
}

function inSteps(shift: Shift): Shift {
  if (shift.status?.phase !== undefined) return shift;
  throw new AppError('no-steps', `TrafficShift ${shift.metadata.name} has no steps: its shares are in force as they are written`);
}

/** How it is to be shown. */
export interface Showing {
  readonly flags: ShiftFlags;
  /** The phase that is a success. */
  readonly wanted: string;
}

/** Prints it, as it is now or, with `--watch`, when it has ended. */
export async function shown(hub: HubClient, shift: Shift, { flags, wanted }: Showing): Promise<ExitCode> {
  const timeoutMs = flags.timeout === undefined ? Number.POSITIVE_INFINITY : durationFlag('--timeout', flags.timeout);
  const path = shiftPath(shift.metadata.namespace ?? '', shift.metadata.name);
  const lookOf = (seen: Shift): Look => ({ lines: shiftLines(seen), plain: plainShift(seen) });
  const last = flags.watch === true ? await follow(hub, shift, { path, isOver: isSettled, lookOf, flags, timeoutMs }) : shift;
  if (flags.output === 'json') printJson(last);
  else for (const line of shiftLines(last)) print(line);
  if (flags.watch !== true) return EXIT.done;
  if (!isSettled(last)) return EXIT.timedOut;
  return last.status?.phase === wanted ? EXIT.done : EXIT.failed;
}
