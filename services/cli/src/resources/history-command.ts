/** `hawser history` and `hawser rollback`: what a resource was, and back to it. */

import type { Resource } from '@hawser/model/resource.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { waitForRollouts } from '../apply/rollout-wait.ts';
import type { HubClient } from '../client/hub-client.ts';
import { resourcePath } from '../client/resource-path.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { ageOf } from '../output/age.ts';
import { note, print, printJson, printYaml } from '../output/print.ts';
import { tableLines } from '../output/table.ts';
import { kindAndName } from './kind-argument.ts';

/** Flags of `history`. */
export interface HistoryFlags extends GlobalFlags {
  readonly namespace?: string;
  readonly limit?: string;
  readonly output: 'table' | 'json' | 'yaml';
}

/** Flags of `rollback`. */
export interface RollbackFlags extends Omit<HistoryFlags, 'limit'> {
  readonly to?: string;
  readonly dryRun?: boolean;
  readonly allowUnresolved?: boolean;
  readonly wait?: boolean;
  readonly timeout: string;
}

interface Past {
  readonly revision: number;
  readonly action: string;
  readonly actor: string;
  readonly reason?: string;
  readonly at: string;
  readonly generation?: number;
}

const PAGE = 100;

/** Runs `history`: newest first. */
export async function historyCommand(kindWord: string, nameWord: string | undefined, flags: HistoryFlags): Promise<ExitCode> {
  const hub = connectHub(flags);
  const most = flags.limit === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--limit', flags.limit);
  const items = await readPast(hub, `${pathOf(kindWord, nameWord, flags)}/history`, most);
  if (flags.output === 'json') printJson({ items });
  else if (flags.output === 'yaml') await printYaml({ items });
  else for (const line of tableLines(COLUMNS, items)) print(line);
  return EXIT.done;
}

const COLUMNS = [
  { title: 'REVISION', cell: ({ revision }: Past) => String(revision) },
  { title: 'ACTION', cell: ({ action }: Past) => action },
  { title: 'GENERATION', cell: ({ generation }: Past) => String(generation ?? '') },
  { title: 'ACTOR', cell: ({ actor }: Past) => actor },
  { title: 'AGE', cell: ({ at }: Past) => ageOf(at, Date.now()) },
  { title: 'REASON', cell: ({ reason }: Past) => reason ?? '' },
];

async function readPast(hub: HubClient, path: string, most: number): Promise<readonly Past[]> {
  const items: Past[] = [];
  let token: string | undefined;
  do {
    const query = new URLSearchParams({
      limit: String(Math.min(PAGE, most - items.length)),
      ...(token === undefined ? {} : { continue: token }),
    });
    const page = (await hub.send({ path: `${path}?${query}` })) as { items: Past[]; metadata?: { continue?: string } };
    items.push(...page.items);
    token = page.metadata?.continue;
  } while (token !== undefined && items.length < most);
  return items;
}

/** Runs `rollback`: to the revision given, else to what was before the last write. */
export async function rollbackCommand(kindWord: string, nameWord: string | undefined, flags: RollbackFlags): Promise<ExitCode> {
  const timeoutMs = durationFlag('--timeout', flags.timeout);
  const body = flags.to === undefined ? {} : { revision: wholeNumber('--to', flags.to) };
  const hub = connectHub(flags);
  const query = new URLSearchParams({
    ...(flags.dryRun === true ? { dryRun: 'All' } : {}),
    ...(flags.allowUnresolved === true ? { allowUnresolved: 'true' } : {}),
  });
  const path = `${pathOf(kindWord, nameWord, flags)}/rollback?${query}`;
  const resource = (await hub.send({ method: 'POST', path, body })) as Resource;
  const { kind, metadata } = resource;
  if (flags.output === 'json') printJson(resource);
  else if (flags.output === 'yaml') await printYaml(resource);
  else
    print(
      `${kind.toLowerCase()}/${metadata.name} rolled back${flags.dryRun === true ? ' (dry run)' : ` (revision ${metadata.resourceVersion})`}`,
    );
  if (flags.wait !== true || flags.dryRun === true) return EXIT.done;
  return await waited(hub, Number(metadata.resourceVersion), timeoutMs);
}

async function waited(hub: HubClient, revision: number, timeoutMs: number): Promise<ExitCode> {
  const answers = await waitForRollouts(hub, [revision], { timeoutMs, progress: () => {}, lively: false });
  const answer = answers.get(revision);
  for (const { cluster, proxy, message } of answer?.nacks ?? []) note(`refused by ${cluster}/${proxy}: ${message}`);
  if ((answer?.nacks.length ?? 0) > 0) return EXIT.nacked;
  if (answer?.complete === true) return EXIT.done;
  note('not acknowledged in time; it stays rolled back: see "hawser proxy-status", or wait longer with --timeout');
  return EXIT.timedOut;
}

function pathOf(kindWord: string, nameWord: string | undefined, flags: { readonly namespace?: string }): string {
  const { kind, name } = kindAndName(kindWord, nameWord);
  if (name === undefined) throw new AppError('usage', `which one? name it: ${kindWord} NAME`);
  return resourcePath({ kind, namespace: flags.namespace ?? 'default', name });
}

function wholeNumber(flag: string, text: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw new AppError('usage', `${flag} ${text}: must be a whole number`);
  return Number(text);
}
