/** What a `localityLbSetting` must be beyond its shape. Istio allows one of its three lists; here they may come together. Pure. */
import type { SchemaProblem } from '../../validate-schema.ts';
import type { DestinationRuleLocalityLbSetting } from '../specs.ts';
import { invalid, rangeProblems, type Steps } from './checks.ts';

/** Every problem of a setting at `steps`. */
export function localityProblems(steps: Steps, setting: DestinationRuleLocalityLbSetting | undefined): readonly SchemaProblem[] {
  if (setting === undefined) return [];
  const { distribute = [], failover = [], failoverPriority = [] } = setting;
  return [
    ...distribute.flatMap((rule, index) => shareProblems([...steps, 'distribute', index], rule)),
    ...failover.flatMap((rule, index) => orderProblems([...steps, 'failover', index], rule)),
    ...(failover.length > 0 && failoverPriority.length > 0
      ? [invalid([...steps, 'failoverPriority'], 'is an order too: leave it or failover out')]
      : []),
    ...failoverPriority.flatMap((label, index) =>
      label.split('=')[0] === '' ? [invalid([...steps, 'failoverPriority', index], 'must be a label, or LABEL=VALUE')] : [],
    ),
  ];
}

type Distribute = NonNullable<DestinationRuleLocalityLbSetting['distribute']>[number];
type Failover = NonNullable<DestinationRuleLocalityLbSetting['failover']>[number];

function shareProblems(steps: Steps, { from, to = {} }: Distribute): readonly SchemaProblem[] {
  const shares = Object.entries(to);
  const sum = shares.reduce((total, [, share]) => total + share, 0);
  const ranges = shares.flatMap(([place, share]) => rangeProblems([...steps, 'to', place], share, [1, 100]));
  const patterns = shares.flatMap(([place]) => (isPattern(place) ? [] : [notPattern([...steps, 'to', place])]));
  return [
    ...(from !== undefined && isPattern(from) ? [] : [notPattern([...steps, 'from'])]),
    ...patterns,
    ...ranges,
    ...(ranges.length === 0 && sum !== 100 ? [invalid([...steps, 'to'], `add up to ${sum}; the shares must add up to 100`)] : []),
  ];
}

function orderProblems(steps: Steps, { from, to }: Failover): readonly SchemaProblem[] {
  const missing = [from === undefined || from === '' ? 'from' : '', to === undefined || to === '' ? 'to' : ''].filter(
    (name) => name !== '',
  );
  const unclear = missing.map((name) => ({
    steps: [...steps, name],
    code: 'FieldValueRequired' as const,
    message: 'is required: a region',
  }));
  return from !== undefined && from === to ? [...unclear, invalid([...steps, 'to'], `is ${to} itself`)] : unclear;
}

/** `REGION/ZONE/SUBZONE`, of which the end may be a star or left out. */
function isPattern(text: string): boolean {
  const parts = text.split('/');
  const star = parts.indexOf('*');
  return parts.length <= 3 && parts.every((part) => part !== '') && (star < 0 || star === parts.length - 1);
}

function notPattern(steps: Steps): SchemaProblem {
  return invalid(steps, 'must be REGION, REGION/ZONE or REGION/ZONE/CLUSTER; a star may stand for the end');
}
