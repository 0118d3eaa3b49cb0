/** `hawser token create|list|revoke`: who may use the hub's API, and for what. */
import type { TokenCreated, TokenEntry, TokenRequest, TokensAnswer } from '@hawser/wire/access.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { ageOf, shortSpan } from '../output/age.ts';
import { note, print, printJson } from '../output/print.ts';
import { type Column, tableLines } from '../output/table.ts';
import type { ViewFlags } from '../views/status-command.ts';
import { longSpan } from './long-span.ts';

const TOKENS = '/hawser/v1/tokens';

/** Flags of `token create`. */
export interface TokenCreateFlags extends ViewFlags {
  readonly role: TokenRequest['role'];
  readonly namespace?: string[];
  readonly group?: string[];
  readonly expires?: string;
}

/** Makes a token; the token alone goes to stdout, unless JSON is wanted. */
export async function tokenCreateCommand(name: string, flags: TokenCreateFlags): Promise<ExitCode> {
  const { role, namespace, group, expires } = flags;
  const expiresAt = expires === undefined ? undefined : new Date(Date.now() + longSpan('--expires', expires)).toISOString();
  const body: TokenRequest = {
    ...{ name, role },
    ...(namespace === undefined ? {} : { namespaces: namespace }),
    ...(group === undefined ? {} : { groups: group }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
  const created = (await connectHub(flags).send({ method: 'POST', path: TOKENS, body })) as TokenCreated;
  if (flags.output === 'json') printJson(created);
  else print(created.token);
  note(`shown this once; use it as HAWSER_TOKEN; it is good ${expiresAt === undefined ? 'until it is revoked' : `until ${expiresAt}`}`);
  return EXIT.done;
}

/** Lists the tokens, without their secrets. */
export async function tokenListCommand(flags: ViewFlags): Promise<ExitCode> {
  const answer = (await connectHub(flags).send({ path: TOKENS })) as TokensAnswer;
  if (flags.output === 'json') printJson(answer);
  else if (answer.items.length === 0) note('no tokens but the one in admin.token: hawser token create NAME --role ROLE');
  else for (const line of tableLines(columns(Date.now()), answer.items)) print(line);
  return EXIT.done;
}

/** Revokes a token at once. */
export async function tokenRevokeCommand(name: string, flags: GlobalFlags): Promise<ExitCode> {
  await connectHub(flags).send({ method: 'DELETE', path: `${TOKENS}/${encodeURIComponent(name)}` });
  print(`token/${name} revoked`);
  return EXIT.done;
}

function columns(now: number): Column<TokenEntry>[] {
  return [
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'ROLE', cell: ({ role }) => role },
    { title: 'NAMESPACES', cell: ({ namespaces }) => namespaces?.join(',') ?? 'all' },
    { title: 'GROUPS', cell: ({ groups }) => groups?.join(',') ?? '' },
    { title: 'EXPIRES', cell: ({ expiresAt }) => endOf(expiresAt, now) },
    { title: 'AGE', cell: ({ createdAt }) => ageOf(createdAt, now) },
    { title: 'BY', cell: ({ createdBy }) => createdBy },
  ];
}

function endOf(expiresAt: string | undefined, now: number): string {
  if (expiresAt === undefined) return 'never';
  const left = Date.parse(expiresAt) - now;
  return left <= 0 ? 'expired' : `in ${shortSpan(left)}`;
}
