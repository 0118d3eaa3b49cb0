/** SafetyRule: what must be so for traffic to be moved, or be so once it was. */
import Type, { type Static } from 'typebox';
import { bareEnvironment, type Condition, compileCondition, LONGEST_CONDITION, type Vocabulary } from './condition/condition.ts';
import { SteeringScope, scopeProblems } from './steering-scope.ts';
import type { SchemaProblem } from './validate-schema.ts';

/** A rule over moves of traffic. */
export const SafetyRuleSpec = Type.Object(
  {
    type: Type.Union([Type.Literal('assertion'), Type.Literal('gating')], {
      description: 'assertion: the condition must hold for regions as the move would leave them; gating: as they are before it.',
    }),
    condition: Type.String({
      minLength: 1,
      maxLength: LONGEST_CONDITION,
      description:
        'CEL over regions, remaining, services, verb and urgency that must hold, such as size(remaining) >= 2. Each region has name, clusters, drainedPercent and, where known, healthyEndpoints and headroomPercent. A move of some services is judged by these alone: how much of their requests is drained, and their endpoints; services is empty when all are moved.',
    }),
    message: Type.String({ minLength: 1, maxLength: 512, description: 'What whoever is refused reads.' }),
    scope: Type.Optional(SteeringScope),
    overridable: Type.Optional(
      Type.Boolean({ description: 'Whether a move that names the rule in overrideSafetyRules goes on in spite of it. Default: true.' }),
    ),
  },
  { additionalProperties: false, description: 'What must be so for traffic to be moved.' },
);
export type SafetyRuleSpec = Static<typeof SafetyRuleSpec>;

/** A region, as conditions see it. What is not known is not there: a condition that needs it cannot be evaluated, and does not hold. */
export interface RegionFacts {
  readonly name: string;
  readonly clusters: readonly string[];
  /** 0 to 100: how much of what would go there goes elsewhere. */
  readonly drainedPercent: number;
  readonly healthyEndpoints?: number;
  /** Capacity that is left, in percent of what is in use; below 0 when there is too little. */
  readonly headroomPercent?: number;
}

/** Everything that conditions of rules speak of. */
export interface RuleWorld {
  readonly verb: string;
  readonly urgency: string;
  /** `NAMESPACE/NAME` of what is moved; empty when that is every service. */
  readonly services: readonly string[];
  readonly regions: readonly RegionFacts[];
}

/** Known to conditions as `Region`. */
class Region {
  constructor({ healthyEndpoints, ...facts }: RegionFacts) {
    // CEL's whole numbers are 64 bits wide.
    Object.assign(this, facts, healthyEndpoints === undefined ? {} : { healthyEndpoints: BigInt(Math.trunc(healthyEndpoints)) });
  }
}

const VOCABULARY: Vocabulary = {
  environment: bareEnvironment()
    .registerType('Region', {
      ctor: Region,
      fields: { name: 'string', clusters: 'list<string>', drainedPercent: 'double', healthyEndpoints: 'int', headroomPercent: 'double' },
    })
    .registerVariable('regions', 'list<Region>')
    .registerVariable('remaining', 'list<Region>')
    .registerVariable('services', 'list<string>')
    .registerVariable('verb', 'string')
    .registerVariable('urgency', 'string'),
  lists: ['regions', 'remaining', 'services', 'clusters'],
  described:
    'a condition is CEL over regions and remaining (name, clusters, drainedPercent, healthyEndpoints, headroomPercent), services, verb and urgency',
};

/** Rules that the schema cannot say. */
export function safetyRuleProblems({ condition, scope }: SafetyRuleSpec): readonly SchemaProblem[] {
  const made = compileCondition(condition, VOCABULARY);
  const problems = scopeProblems(scope);
  return 'problem' in made ? [...problems, { steps: ['condition'], code: 'FieldValueInvalid', message: made.problem }] : problems;
}

/** What became of a condition; `holds` is undefined where it cannot be evaluated. */
export interface RuleOutcome {
  readonly holds: boolean | undefined;
  /** Why it does not hold. */
  readonly message: string;
}

/** Why the rule does not hold; undefined when it does. A condition that cannot be evaluated does not hold. */
export function brokenRule(rule: Pick<SafetyRuleSpec, 'condition' | 'message'>, world: RuleWorld): string | undefined {
  const { holds, message } = ruleOutcome(rule, world);
  return holds === true ? undefined : message;
}

/** What the condition of a rule says of a move. */
export function ruleOutcome({ condition, message }: Pick<SafetyRuleSpec, 'condition' | 'message'>, world: RuleWorld): RuleOutcome {
  const made = compiled(condition);
  if ('problem' in made) return { holds: undefined, message: `${message} (its condition ${made.problem})` };
  const regions = world.regions.map((facts) => new Region(facts));
  const remaining = regions.filter((_, index) => (world.regions[index]?.drainedPercent ?? 0) < 100);
  const { verb, urgency, services } = world;
  const clusters = Math.max(0, ...world.regions.map((region) => region.clusters.length));
  const sizes = { regions: regions.length, remaining: remaining.length, services: services.length, clusters };
  const outcome = made.condition.evaluate({ verb, urgency, services, regions, remaining }, sizes);
  if ('problem' in outcome) return { holds: undefined, message: `${message} (what it asks for is not known: ${outcome.problem})` };
  return outcome.holds ? { holds: true, message: '' } : { holds: false, message };
}

/** Rules are asked before every step. */
const conditions = new Map<string, { readonly condition: Condition } | { readonly problem: string }>();
const MOST_CONDITIONS = 1000;

function compiled(text: string): ReturnType<typeof compileCondition> {
  const known = conditions.get(text);
  if (known !== undefined) return known;
  if (conditions.size >= MOST_CONDITIONS) conditions.clear();
  const made = compileCondition(text, VOCABULARY);
  conditions.set(text, made);
  return made;
}
