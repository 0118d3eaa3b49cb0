/** Places that requests are moved to, with the share of each. */
import Type, { type Static } from 'typebox';
import { LABEL_PATTERN } from './patterns.ts';
import type { SchemaProblem } from './validate-schema.ts';

/** Places that take what is moved; none: the next in the order of the service. */
export const MoveTargets = Type.Array(
  Type.Object(
    {
      region: Type.Optional(Type.String({ pattern: LABEL_PATTERN, description: 'Region that takes of it.' })),
      cluster: Type.Optional(Type.String({ pattern: LABEL_PATTERN, description: 'Or a cluster that does.' })),
      weight: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 10_000, description: 'Its share, against the weights of the others. Default: 1.' }),
      ),
    },
    { additionalProperties: false },
  ),
  { minItems: 1, description: 'Places that take what is moved, by weight. Default: the next in the order of each service.' },
);
export type MoveTargets = Static<typeof MoveTargets>;

/** Every target is one place, and no place is named twice. */
export function targetProblems(steps: readonly (string | number)[], targets: MoveTargets): readonly SchemaProblem[] {
  const seen = new Set<string>();
  return targets.flatMap(({ region, cluster }, index): SchemaProblem[] => {
    const at = [...steps, index];
    if ((region === undefined) === (cluster === undefined))
      return [{ steps: at, code: 'FieldValueInvalid', message: 'must have exactly one of region, cluster' }];
    const place = region === undefined ? `cluster ${cluster}` : `region ${region}`;
    if (seen.has(place)) return [{ steps: at, code: 'FieldValueDuplicate', message: `names the ${place} twice` }];
    seen.add(place);
    return [];
  });
}
