/** Freeze: times in which traffic is not moved. */
import Type, { type Static } from 'typebox';
import { isWithin, WEEK_WINDOW, wallClock } from './freeze-window.ts';
import { invalid } from './istio/rules/checks.ts';
import { SteeringScope, scopeProblems } from './steering-scope.ts';
import type { SchemaProblem } from './validate-schema.ts';

const list = { minItems: 1, uniqueItems: true } as const;
/** Freezes are looked through before every step. */
const MOST_TIMES = 100;
const windows = (description: string) => Type.Optional(Type.Array(Type.String({ pattern: WEEK_WINDOW }), { ...list, description }));

/** When traffic is not moved. */
export const FreezeSpec = Type.Object(
  {
    reason: Type.String({ minLength: 1, maxLength: 512, description: 'Why: whoever is refused reads it.' }),
    windows: Type.Optional(
      Type.Object(
        {
          allowed: windows('Times of the week outside of which traffic is not moved, such as Tue:09:00-Thu:16:00.'),
          blocked: windows('Times of the week in which traffic is not moved; they win over allowed.'),
          dates: Type.Optional(
            Type.Array(Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' }), {
              ...list,
              description: 'Days on which traffic is not moved, as YYYY-MM-DD.',
            }),
          ),
          timeZone: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 64,
              description: 'Time zone of the clocks that are meant, such as Europe/Berlin. Default: UTC.',
            }),
          ),
        },
        { additionalProperties: false, description: 'When it holds. Default: always, until it ends.' },
      ),
    ),
    until: Type.Optional(
      Type.String({
        pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(:\\d{2}(\\.\\d+)?)?(Z|[+-]\\d{2}:\\d{2})$',
        description: 'When it ends for good, as RFC 3339 has it. Default: when it is deleted.',
      }),
    ),
    allowEmergency: Type.Optional(
      Type.Boolean({ description: 'Whether what is called an emergency is let through all the same. Default: true.' }),
    ),
    scope: Type.Optional(SteeringScope),
  },
  { additionalProperties: false, description: 'Times in which traffic is not moved but in an emergency.' },
);
export type FreezeSpec = Static<typeof FreezeSpec>;

/** Rules that the schema cannot say. */
export function freezeProblems({
  windows: { allowed = [], blocked = [], dates = [], timeZone } = {},
  until,
  scope,
  ...rest
}: FreezeSpec): readonly SchemaProblem[] {
  const problems: SchemaProblem[] = [...scopeProblems(scope)];
  for (const [field, texts] of [
    ['allowed', allowed],
    ['blocked', blocked],
  ] as const) {
    for (const [index, text] of texts.entries()) {
      const [from, to] = text.split('-');
      if (from === to) problems.push(invalid(['windows', field, index], `is ${text}, which ends where it begins`));
    }
  }
  const times = allowed.length + blocked.length + dates.length;
  if (times > MOST_TIMES) problems.push(invalid(['windows'], `has ${times} times; at most ${MOST_TIMES} are allowed`));
  for (const [index, date] of dates.entries()) {
    if (new Date(`${date}T00:00:00Z`).toJSON()?.slice(0, 10) !== date)
      problems.push(invalid(['windows', 'dates', index], `is ${date}, a day that is not in the calendar`));
  }
  if (timeZone !== undefined && wallClock(new Date(0), timeZone) === undefined) {
    problems.push(invalid(['windows', 'timeZone'], `is ${timeZone}, which is no time zone: write UTC, or one such as Europe/Berlin`));
  }
  if (rest.reason.trim() === '') problems.push(invalid(['reason'], 'is empty: say why'));
  if (until !== undefined && Number.isNaN(Date.parse(until))) problems.push(invalid(['until'], `is ${until}, which is no moment`));
  return problems;
}

/** Whether traffic is not to be moved at this moment, as far as this freeze goes. */
export function isFrozen({ windows, until }: Pick<FreezeSpec, 'windows' | 'until'>, at: Date): boolean {
  if (until !== undefined && at.getTime() >= Date.parse(until)) return false;
  const { allowed = [], blocked = [], dates = [], timeZone = 'UTC' } = windows ?? {};
  if (allowed.length + blocked.length + dates.length === 0) return true;
  const clock = wallClock(at, timeZone);
  // What was stored was checked; if this process knows fewer time zones, unknown is not free.
  if (clock === undefined) return true;
  const isIn = (window: string): boolean => isWithin(window, clock);
  return dates.includes(clock.date) || blocked.some(isIn) || (allowed.length > 0 && !allowed.some(isIn));
}
