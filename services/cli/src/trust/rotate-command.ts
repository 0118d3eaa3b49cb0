/** `hawser trust rotate CLUSTER`: starts the rotation of its authority, shows it, and steers it. */
import { AppError } from '@hawser/runtime/app-error.ts';
import type { RotationImpact, RotationRequest, RotationsAnswer, RotationView } from '@hawser/wire/trust.ts';
import type { HubClient } from '../client/hub-client.ts';
import { HubRefusal } from '../client/hub-refusal.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { follow } from '../output/follow.ts';
import type { Look } from '../output/live-lines.ts';
import { note, print, printJson } from '../output/print.ts';
import type { ViewFlags } from '../views/status-command.ts';
import { plainLine, rotationLines } from './rotation-lines.ts';

/** Its flags. */
export interface RotateFlags extends ViewFlags {
  readonly kind?: 'root' | 'intermediate';
  readonly at?: string;
  readonly awayAfter?: string;
  readonly watch?: boolean;
  readonly timeout?: string;
  readonly status?: boolean;
  readonly pause?: boolean;
  readonly resume?: boolean;
  readonly rollback?: boolean;
  readonly retireNow?: boolean;
  readonly emergency?: boolean;
  readonly yes?: boolean;
}

const ROTATIONS = '/hawser/v1/trust/rotations';
const EMERGENCIES = '/hawser/v1/trust/emergency-rotations';
const COMMANDS = ['pause', 'resume', 'rollback', 'retire-now'] as const;

/** Runs the command: 0 when it did what was asked, and with `--watch` when the rotation is done; 1 when not, 4 when the time is over. */
export async function rotateCommand(cluster: string, flags: RotateFlags): Promise<ExitCode> {
  const hub = connectHub(flags);
  const timeoutMs = flags.timeout === undefined ? Number.POSITIVE_INFINITY : durationFlag('--timeout', flags.timeout);
  const wanted = commandOf(flags);
  const answer = wanted === undefined ? await begin(hub, cluster, flags) : await steer(hub, cluster, wanted);
  if (typeof answer === 'number') return answer;
  if (flags.watch === true) return await watch(hub, answer, { flags, timeoutMs });
  show(answer, flags);
  return answer.phase === 'Failed' ? EXIT.failed : EXIT.done;
}

type Command = (typeof COMMANDS)[number] | 'status';

function commandOf(flags: RotateFlags): Command | undefined {
  const given: Command[] = COMMANDS.filter((one) => (one === 'retire-now' ? flags.retireNow : flags[one]) === true);
  if (flags.status === true) given.push('status');
  const [first, second] = given;
  if (second !== undefined) throw new AppError('usage', `--${first} and --${second} are two things: say them one after the other`);
  const starts = flags.kind !== undefined || flags.at !== undefined || flags.emergency === true || flags.awayAfter !== undefined;
  if (first !== undefined && starts)
    throw new AppError('usage', `--${first} is about the rotation that is under way; --kind, --at, --away-after and --emergency begin one`);
  return first;
}

async function steer(hub: HubClient, cluster: string, command: Command): Promise<RotationView | ExitCode> {
  const newest = await newestOf(hub, cluster);
  if (newest === undefined) {
    note(`${cluster} has no rotation: hawser trust rotate ${cluster} begins one`);
    return EXIT.failed;
  }
  if (command === 'status') return newest;
  return (await hub.send({ method: 'POST', path: `${ROTATIONS}/${newest.id}/${command}`, body: {} })) as RotationView;
}

/** Begins one; who watches, and finds that one is under way, watches that. */
async function begin(hub: HubClient, cluster: string, flags: RotateFlags): Promise<RotationView | ExitCode> {
  const { kind, at, awayAfter, emergency, yes } = flags;
  const body: RotationRequest = {
    cluster,
    ...(kind === undefined ? {} : { kind }),
    ...(at === undefined ? {} : { at }),
    ...(awayAfter === undefined ? {} : { awayAfter }),
  };
  if (emergency === true && !(await agreed(hub, body, yes === true))) return EXIT.failed;
  try {
    const path = emergency === true ? EMERGENCIES : ROTATIONS;
    return (await hub.send({ method: 'POST', path, body: emergency === true ? { ...body, confirm: true } : body })) as RotationView;
  } catch (error) {
    const newest = error instanceof HubRefusal && error.status === 409 && flags.watch === true ? await newestOf(hub, cluster) : undefined;
    if (newest === undefined || newest.emergency !== (emergency === true)) throw error;
    note(`a rotation of ${cluster} is under way since ${newest.createdAt}: that is what is shown`);
    return newest;
  }
}

/** Says what an emergency breaks before it is done. */
async function agreed(hub: HubClient, body: RotationRequest, yes: boolean): Promise<boolean> {
  const { breaks } = (await hub.send({ method: 'POST', path: EMERGENCIES, body: { ...body, dryRun: true } })) as RotationImpact;
  note(`the root of ${body.cluster} is replaced at once, and nobody accepts the old one any more:`);
  for (const { cluster, reason, proxies } of breaks)
    note(`  ${cluster}: ${reason}${proxies.length === 0 ? '' : ` (${proxies.join(', ')})`}`);
  if (!yes) note('nothing was done: say --yes to do it');
  return yes;
}

async function newestOf(hub: HubClient, cluster: string): Promise<RotationView | undefined> {
  const { items } = (await hub.send({ path: `${ROTATIONS}?cluster=${encodeURIComponent(cluster)}` })) as RotationsAnswer;
  return items[0];
}

function show(rotation: RotationView, { output }: RotateFlags): void {
  if (output === 'json') printJson(rotation);
  else for (const line of rotationLines(rotation)) print(line);
}

interface Watching {
  readonly flags: RotateFlags;
  readonly timeoutMs: number;
}

/** Follows it to its end. */
async function watch(hub: HubClient, first: RotationView, { flags, timeoutMs }: Watching): Promise<ExitCode> {
  const lookOf = (seen: RotationView): Look => ({ lines: rotationLines(seen), plain: plainLine(seen) });
  const rotation = await follow(hub, first, { path: `${ROTATIONS}/${first.id}`, isOver, lookOf, flags, timeoutMs });
  show(rotation, flags);
  if (!isOver(rotation)) return EXIT.timedOut;
  const wanted = flags.rollback === true ? 'RolledBack' : 'Done';
  return rotation.phase === wanted ? EXIT.done : EXIT.failed;
}

function isOver({ phase }: RotationView): boolean {
  return phase === 'Done' || phase === 'RolledBack' || phase === 'Failed';
}
