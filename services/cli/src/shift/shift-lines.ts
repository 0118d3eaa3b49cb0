/** PURE: a shift in steps as text. */
import type { Resource } from '@hawser/model/resource.ts';
import type { ShiftStatus } from '@hawser/wire/shift.ts';
import { type Column, tableLines } from '../output/table.ts';

type Shift = Resource<unknown, ShiftStatus>;
type Weight = ShiftStatus['weights'][number];

/** Whether it goes nowhere by itself: it is done, or back. A day's shift that is at its target is, too. */
export function isSettled({ status }: Shift): boolean {
  return status === undefined || ['Done', 'RolledBack', 'Failed'].includes(status.phase);
}

/** Its phase and step, weights, checks, and what it waits for. */
export function shiftLines({ metadata, status }: Shift): string[] {
  const title = `shift ${metadata.namespace ?? ''}/${metadata.name}`;
  if (status === undefined) return [title];
  const { weights, totalWeight, waitsFor, deadlineIn, message, checks = [] } = status;
  const columns: readonly Column<Weight>[] = [
    { title: '  DESTINATION', cell: ({ name }) => `  ${name}` },
    { title: `ASKED OF ${totalWeight}`, cell: ({ desired }) => String(desired) },
    { title: 'ACKNOWLEDGED', cell: ({ acked }) => (acked === undefined ? '' : String(acked)) },
    { title: 'MEASURED', cell: ({ observedPercent }) => (observedPercent === undefined ? '' : `${observedPercent} %`) },
  ];
  return [
    `${title}: ${phaseText(status)}`,
    ...tableLines(columns, weights),
    ...checks.map(({ name, verdict, message: why }) => `  check ${name}: ${verdict}${why === '' ? '' : `, ${why}`}`),
    ...(message === undefined ? [] : [`  ${message}`]),
    ...(waitsFor === undefined || waitsFor === message
      ? []
      : [`  waits for ${waitsFor}${deadlineIn === undefined ? '' : ` (deadline in ${deadlineIn})`}`]),
  ];
}

/** One line for a log that nobody rewrites: a change is a new line, the passing of time is none. */
export function plainShift({ metadata, status }: Shift): string {
  const title = `${metadata.namespace ?? ''}/${metadata.name}`;
  if (status === undefined) return title;
  const weights = status.weights.map(({ name, desired }) => `${name} ${desired}`).join(', ');
  return `${title}: ${phaseText(status)}; ${weights}${status.message === undefined ? '' : `; ${status.message}`}`;
}

function phaseText({ phase, pausedBy, stepIndex, steps, startsAt, endsAt }: ShiftStatus): string {
  const why = pausedBy === undefined ? '' : ` (${pausedBy})`;
  const step = stepIndex < steps ? `, step ${stepIndex + 1} of ${steps}` : '';
  const time = startsAt !== undefined && phase === 'Pending' ? `, begins at ${startsAt}` : endsAt === undefined ? '' : `, until ${endsAt}`;
  return `${phase}${why}${phase === 'Pending' || phase === 'RolledBack' || phase === 'RollingBack' ? '' : step}${time}`;
}
