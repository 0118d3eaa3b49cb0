/** Waves of a drain: services that leave one after another, each when those before it were seen to have left. */
import Type, { type Static } from 'typebox';
import { invalid } from './istio/rules/checks.ts';
import { DnsLabel } from './kind-specs.ts';
import { SERVICE_KEY_PATTERN } from './patterns.ts';
import type { SchemaProblem } from './validate-schema.ts';

const strict = { additionalProperties: false } as const;
const list = { minItems: 1, uniqueItems: true } as const;

/** Services by namespace and by name. */
export const DrainServices = Type.Object(
  {
    namespaces: Type.Optional(Type.Array(DnsLabel, { ...list, description: 'All services of these namespaces.' })),
    names: Type.Optional(
      Type.Array(Type.String({ pattern: SERVICE_KEY_PATTERN }), { ...list, description: 'Services by NAMESPACE/NAME.' }),
    ),
  },
  { ...strict, description: 'Services whose requests are moved: those of namespaces, and those named. Default: all.' },
);
export type DrainServices = Static<typeof DrainServices>;

const Wave = Type.Object(
  {
    name: Type.Union([DnsLabel], { description: 'What other waves name it by.' }),
    selector: Type.Object(DrainServices.properties, { ...strict, description: 'Its services: those of namespaces, and those named.' }),
    after: Type.Optional(
      Type.Array(DnsLabel, { ...list, maxItems: 20, description: 'Waves that have left before it begins. Default: none.' }),
    ),
  },
  strict,
);
type Wave = Static<typeof Wave>;

/** Field of a course. */
export const DrainWaves = Type.Array(Wave, {
  minItems: 1,
  maxItems: 20,
  description:
    'Services that leave one after another: a wave goes through all steps once the waves in its after have left, waves that wait for the same together; services of no wave leave last. All come back together. Default: all services at once.',
});
export type DrainWaves = Static<typeof DrainWaves>;

/** Services that leave together. */
export interface DrainStage {
  /** Names of its waves; none: what no wave selects. */
  readonly waves: readonly string[];
  /** Undefined: everything that no stage before it selects. */
  readonly services: DrainServices | undefined;
}

/** The stages of waves in their order; the last is of what no wave selects. Without waves it is the only one. */
export function stagesOf(waves: DrainWaves = []): readonly [DrainStage, ...DrainStage[]] {
  const depths = depthsOf(waves);
  const stages = [...Map.groupBy(waves, ({ name }) => depths.get(name) ?? 0)].sort(([a], [b]) => a - b).map(([, of]) => stageOf(of));
  const rest: DrainStage = { waves: [], services: undefined };
  const [first, ...more] = stages;
  return first === undefined ? [rest] : [first, ...more, rest];
}

/** Rules of waves that their schema cannot say. */
export function waveProblems(waves: DrainWaves = []): SchemaProblem[] {
  const names = new Set(waves.map(({ name }) => name));
  const depths = depthsOf(waves);
  return waves.flatMap(({ name, selector, after = [] }, index): SchemaProblem[] => {
    const unknown = after.flatMap((other, at) =>
      names.has(other) ? [] : [invalid(['waves', index, 'after', at], `is ${other}, which no wave is called`)],
    );
    const isTwice = waves.findIndex((other) => other.name === name) < index;
    const isEmpty = selector.namespaces === undefined && selector.names === undefined;
    return [
      ...(isTwice ? [invalid(['waves', index, 'name'], `is ${name}, as that of another wave`)] : []),
      ...(isEmpty ? [invalid(['waves', index, 'selector'], 'selects nothing: name namespaces or services')] : []),
      ...unknown,
      ...(depths.has(name) || unknown.length > 0
        ? []
        : [invalid(['waves', index, 'after'], `is never over: ${name} would wait for itself`)]),
    ];
  });
}

/** How many stages are before each wave; waves that wait for themselves, or for one that is not there, have none. */
function depthsOf(waves: DrainWaves): ReadonlyMap<string, number> {
  const depths = new Map<string, number>();
  for (let round = 0; round < waves.length; round += 1) {
    const ready = waves.filter(({ name, after = [] }) => !depths.has(name) && after.every((other) => depths.has(other)));
    for (const { name } of ready) depths.set(name, round);
  }
  return depths;
}

function stageOf(waves: readonly Wave[]): DrainStage {
  const namespaces = [...new Set(waves.flatMap(({ selector }) => selector.namespaces ?? []))];
  const names = [...new Set(waves.flatMap(({ selector }) => selector.names ?? []))];
  return {
    waves: waves.map(({ name }) => name),
    services: { ...(namespaces.length === 0 ? {} : { namespaces }), ...(names.length === 0 ? {} : { names }) },
  };
}
