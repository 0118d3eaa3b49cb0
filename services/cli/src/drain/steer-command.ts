/** `hawser drain status`, `renew`, `restore`, `redrain` and `promote`. */
import { connectHub } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { print, printJson } from '../output/print.ts';
import type { ViewFlags } from '../views/status-command.ts';
import { type DrainResource, drainTable, isOver, localDrainLines } from './drain-lines.ts';
import { drainPath, listDrains, localDrains, namedDrain } from './drains.ts';
import { followDrain, showDrain } from './follow-drain.ts';

/** Flags of `status`. */
export interface StatusFlags extends ViewFlags {
  readonly all?: boolean;
  readonly watch?: boolean;
}

/** Flags of the others. */
export interface SteerFlags extends ViewFlags {
  readonly reason?: string;
  readonly force?: boolean;
  readonly wait: boolean;
  readonly timeout?: string;
}

/** One drain, or all that are under way. */
export async function drainStatusCommand(name: string | undefined, flags: StatusFlags): Promise<ExitCode> {
  const hub = connectHub(flags);
  if (name !== undefined) {
    const drain = await namedDrain(hub, name);
    if (flags.watch !== true) {
      showDrain(drain, flags);
      return EXIT.done;
    }
    const until = drain.status?.phase === 'Restoring' ? 'Restored' : 'Drained';
    return await followDrain(hub, drain, { flags, until, timeoutMs: Number.POSITIVE_INFINITY });
  }
  const [drains, local] = await Promise.all([listDrains(hub), localDrains(hub)]);
  const shown = flags.all === true ? drains : drains.filter((drain) => !isOver(drain));
  if (flags.output === 'json') printJson({ drains: shown, local });
  else for (const line of [...drainTable(shown, Date.now()), ...localDrainLines(local, Date.now())]) print(line);
  return EXIT.done;
}

/** Says something to a drain; a restore is followed to its end. */
export async function steerCommand(
  name: string,
  said: 'renew' | 'restore' | 'redrain' | 'promote' | 'approve',
  flags: SteerFlags,
): Promise<ExitCode> {
  const timeoutMs = flags.timeout === undefined ? Number.POSITIVE_INFINITY : durationFlag('--timeout', flags.timeout);
  const hub = connectHub(flags);
  const found = await namedDrain(hub, name);
  const command = said === 'restore' && flags.force === true ? 'return' : said;
  const body = flags.reason === undefined ? {} : { reason: flags.reason };
  const drain = (await hub.send({ method: 'POST', path: drainPath(found.metadata.name, command), body })) as DrainResource;
  const until = { restore: 'Restored', redrain: 'Drained', renew: undefined, promote: undefined, approve: undefined }[said];
  if (until !== undefined && flags.wait) return await followDrain(hub, drain, { flags, until, timeoutMs });
  showDrain(drain, flags);
  return EXIT.done;
}
