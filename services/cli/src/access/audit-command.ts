/** `hawser audit`: who did what, and who was refused what. */
import type { AuditAnswer, AuditEntry } from '@hawser/wire/access.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print, printJson } from '../output/print.ts';
import { type Column, tableLines } from '../output/table.ts';
import type { ViewFlags } from '../views/status-command.ts';
import { longSpan } from './long-span.ts';

/** Flags of `audit`. */
export interface AuditFlags extends ViewFlags {
  readonly actor?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly outcome?: string;
  readonly since?: string;
  readonly limit: string;
}

/** Prints the newest entries that match, newest first. */
export async function auditCommand(flags: AuditFlags): Promise<ExitCode> {
  const answer = (await connectHub(flags).send({ path: `/hawser/v1/audit?${queryOf(flags, Date.now())}` })) as AuditAnswer;
  if (flags.output === 'json') printJson(answer);
  else if (answer.items.length === 0) note('nothing in the audit matches');
  else for (const line of tableLines(COLUMNS, answer.items)) print(line);
  if (answer.continue !== undefined && flags.output === 'table') note('there is more: --limit shows up to 1000, --since less far back');
  return EXIT.done;
}

/** PURE: the query of the flags. */
export function queryOf({ actor, kind, namespace, name, outcome, since, limit }: AuditFlags, now: number): string {
  const from = since === undefined ? undefined : new Date(now - longSpan('--since', since)).toISOString();
  const wanted = Object.entries({ actor, kind, namespace, name, outcome, since: from, limit });
  return new URLSearchParams(wanted.filter((entry): entry is [string, string] => entry[1] !== undefined)).toString();
}

const COLUMNS: Column<AuditEntry>[] = [
  { title: 'AT', cell: ({ at }) => at },
  { title: 'ACTOR', cell: ({ actor, role }) => (role === '' ? actor : `${actor} (${role})`) },
  { title: 'OUTCOME', cell: ({ outcome, code }) => `${outcome} ${code}` },
  { title: 'VERB', cell: ({ verb }) => verb },
  { title: 'WHAT', cell: ({ kind, namespace, name }) => [kind, namespace, name].filter((part) => part !== '').join('/') },
  { title: 'REVISION', cell: ({ revision }) => (revision === undefined ? '' : String(revision)) },
  { title: 'FROM', cell: ({ source }) => source },
  { title: 'REASON', cell: ({ reason }) => reason },
];
