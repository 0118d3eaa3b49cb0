/** `hawser notifications`: how the webhooks do that are notified of operations. */
import type { NotificationsAnswer, SinkEntry } from '@hawser/wire/notifications.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { ageOf } from '../output/age.ts';
import { note, print, printJson } from '../output/print.ts';
import { type Column, tableLines } from '../output/table.ts';
import type { ViewFlags } from '../views/status-command.ts';

/** Prints them; 1 when one of them does not take what it is sent. */
export async function notificationsCommand(flags: ViewFlags): Promise<ExitCode> {
  const answer = (await connectHub(flags).send({ path: '/hawser/v1/notifications' })) as NotificationsAnswer;
  if (flags.output === 'json') printJson(answer);
  else if (answer.sinks.length === 0) note('nobody is notified: hawser hub run --integrations FILE names webhooks');
  else for (const line of tableLines(columns(Date.now()), answer.sinks)) print(line);
  return answer.sinks.some(({ problem }) => problem !== '') ? EXIT.failed : EXIT.done;
}

function columns(now: number): Column<SinkEntry>[] {
  return [
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'DELIVERED', cell: ({ delivered }) => String(delivered) },
    { title: 'LAST', cell: ({ deliveredAt }) => ageOf(deliveredAt, now) },
    { title: 'WAITING', cell: ({ waiting }) => String(waiting) },
    { title: 'SINCE', cell: ({ oldestAt }) => ageOf(oldestAt, now) },
    { title: 'GIVEN UP', cell: ({ givenUp }) => String(givenUp) },
    { title: 'PROBLEM', cell: ({ problem, attempts }) => (problem === '' ? '' : `${problem} (${attempts} times)`) },
  ];
}
