/** `hawser agent drain --local`: asks the agents of this machine, and nobody else. */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { LocalDrain } from '@hawser/model/fleet.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { type GlobalFlags, stateDirOf } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { print } from '../output/print.ts';
import { label } from '../proxy/proxy-flags.ts';

/** Its flags. */
export interface LocalDrainFlags extends GlobalFlags {
  readonly local?: boolean;
  readonly cluster?: string;
  readonly region?: string;
  readonly ttl: string;
  readonly reason?: string;
  readonly off?: boolean;
  readonly tokenFile?: string;
}

const ASK_MS = 5_000;
const HOUR_MS = 3_600_000;

interface AgentDoor {
  readonly cluster: string;
  readonly admin: string;
  readonly tokenFile: string;
}

/** Runs the command: 0 when every agent that was meant did it. */
export async function localDrainCommand(flags: LocalDrainFlags): Promise<ExitCode> {
  if (flags.local !== true)
    throw new AppError(
      'usage',
      'agents drain by themselves with --local alone; with a hub it is hawser drain start, which looks whether somebody is left',
    );
  const ttlMs = durationFlag('--ttl', flags.ttl);
  if (ttlMs <= 0 || ttlMs > HOUR_MS) throw new AppError('usage', `--ttl ${flags.ttl}: more than nothing, and at most 1h`);
  if (flags.off !== true && (flags.reason ?? '').trim() === '') throw new AppError('usage', '--reason: say why, for whoever sees it later');
  for (const door of await doorsOf(flags)) {
    if (flags.off === true) {
      const { ended } = (await ask(door, 'DELETE')) as { readonly ended: boolean };
      print(ended ? `${door.cluster} is not drained by its agent any more` : `${door.cluster} is not drained by its agent`);
      continue;
    }
    const by = userInfo().username;
    const { drain } = (await ask(door, 'POST', { ttlMs, reason: flags.reason, by })) as { readonly drain: LocalDrain };
    print(`${door.cluster} is drained by its agent until ${drain.until}`);
  }
  return EXIT.done;
}

async function doorsOf(flags: LocalDrainFlags): Promise<readonly AgentDoor[]> {
  const folder = join(stateDirOf(flags), 'agents');
  const all = await readdir(folder).catch(() => []);
  const wanted = flags.cluster === undefined ? all : [label('--cluster', flags.cluster)];
  const found = wanted.filter((cluster) => flags.region === undefined || regionOf(join(folder, cluster)) === flags.region);
  if (flags.cluster === undefined && flags.region === undefined && found.length > 1)
    throw new AppError('usage', `which one? ${found.join(', ')} have agents here: say --cluster NAME or --region NAME`);
  if (found.length === 0)
    throw new AppError('usage', `no such agent has run here: ${folder} has ${all.length === 0 ? 'none' : all.join(', ')}`);
  return found.map((cluster) => {
    const place = join(folder, cluster);
    return { cluster, admin: textIn(place, 'agent.json', 'admin'), tokenFile: flags.tokenFile ?? join(place, 'admin.token') };
  });
}

function regionOf(place: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(place, 'membership.json'), 'utf8')) as { membership: { region: string } }).membership.region;
  } catch {
    return undefined;
  }
}

function textIn(place: string, file: string, field: string): string {
  try {
    const value = (JSON.parse(readFileSync(join(place, file), 'utf8')) as Record<string, unknown>)[field];
    if (typeof value === 'string') return value;
  } catch {
    // What it says is the same for a file that is not there.
  }
  throw new AppError('usage', `${join(place, file)} does not say where the agent is: has it run here?`);
}

async function ask({ cluster, admin, tokenFile }: AgentDoor, method: 'POST' | 'DELETE', body?: object): Promise<unknown> {
  let token: string;
  try {
    token = readFileSync(tokenFile, 'utf8').trim();
  } catch (error) {
    throw new AppError(
      'usage',
      `the agent's token cannot be read: ${messageOf(error)}; run this as the user of the agent, or say --token-file`,
    );
  }
  const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  const answer = await fetch(`http://${admin}/local-drain`, {
    ...{ method, headers, signal: AbortSignal.timeout(ASK_MS) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    throw new AppError('agent-unreachable', `the agent of ${cluster} does not answer at ${admin}: ${messageOf(error)}`);
  });
  const said = (await answer.json()) as { readonly message?: string };
  if (!answer.ok) throw new AppError('agent-refused', `the agent of ${cluster} refuses: ${said.message ?? answer.status}`);
  return said;
}
