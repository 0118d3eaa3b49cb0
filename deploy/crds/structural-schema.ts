/**
 * JSON Schemas of specs as structural schemas, which is what a CustomResourceDefinition may hold (apiextensions.k8s.io/v1). What a structural
 * schema has no word for becomes a rule in CEL. Pure.
 */

/** A rule over the value it stands at (x-kubernetes-validations); CEL knows the value as `self`. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
}

/** The part of structural schemas that kinds of ours need. */
export interface StructuralSchema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly description?: string;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: StructuralSchema;
  readonly items?: StructuralSchema;
  readonly enum?: readonly unknown[];
  readonly 'x-kubernetes-list-type'?: 'set' | 'map' | 'atomic';
  readonly 'x-kubernetes-validations'?: readonly CelRule[];
  readonly [word: string]: unknown;
}

/** The part of JSON Schema that the specs use; TypeBox writes it. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly uniqueItems?: boolean;
  readonly [word: string]: unknown;
}

/** Words that mean the same in both. */
const KEPT = ['minItems', 'maxItems', 'minLength', 'maxLength', 'minimum', 'maximum', 'pattern', 'format', 'default', 'minProperties'];
/** Keys of records without a pattern of their own. */
const ANY_KEY = '^.*$';
/**
 * Bounds of what rules look at, where the kind has none of its own: the API server reckons what a rule costs from the most there can be,
 * and refuses a definition with a rule that could cost too much (10 million steps).
 */
const MOST_KEYS = 1_000;
const MOST_ENTRIES = 256;

/**
 * The structural schema of a spec; `rules` are those of its places, such as `spec.steps[]` for each entry of a list and `spec.regions{}` for
 * each value of a record. Throws on what a CRD has no word for, and on rules for a place that there is not.
 */
export function structuralSchema(schema: object, rules: ReadonlyMap<string, readonly CelRule[]> = new Map()): StructuralSchema {
  const ruled = new Set<string>();
  const made = convert(schema as Schema, { path: 'spec', rules, ruled });
  const nowhere = [...rules.keys()].filter((path) => !ruled.has(path));
  if (nowhere.length > 0) throw new Error(`rules are for ${nowhere.join(', ')}, which the schema has not`);
  return made;
}

interface Place {
  /** Such as `spec.steps[].setWeights`. */
  readonly path: string;
  readonly rules: ReadonlyMap<string, readonly CelRule[]>;
  /** Places whose rules have been put in. */
  readonly ruled: Set<string>;
}

function convert(schema: Schema, place: Place): StructuralSchema {
  const made = bare(schema, place);
  const rules = [...(made['x-kubernetes-validations'] ?? []), ...(place.rules.get(place.path) ?? [])];
  place.ruled.add(place.path);
  return {
    ...(schema.description === undefined ? {} : { description: schema.description }),
    ...made,
    ...Object.fromEntries(KEPT.filter((word) => schema[word] !== undefined).map((word) => [word, schema[word]])),
    ...(rules.length === 0 ? {} : { 'x-kubernetes-validations': rules }),
  };
}

function bare(schema: Schema, place: Place): StructuralSchema {
  if (schema.const !== undefined) return oneOfThese([schema.const]);
  if (schema.anyOf !== undefined) return union(schema.anyOf, place);
  switch (schema.type) {
    case 'object':
      return schema.patternProperties === undefined ? object(schema, place) : record(schema.patternProperties, place);
    case 'array':
      return list(schema, place);
    case 'string':
    case 'integer':
    case 'number':
    case 'boolean':
      return { type: schema.type };
    default:
      throw new Error(`${place.path}: a CRD has no schema of ${JSON.stringify(schema)}`);
  }
}

function object({ properties = {}, required = [] }: Schema, place: Place): StructuralSchema {
  const fields = Object.entries(properties).map(([name, inner]) => [name, convert(inner, below(place, `.${name}`))] as const);
  return { type: 'object', properties: Object.fromEntries(fields), ...(required.length === 0 ? {} : { required }) };
}

function record(patterns: Readonly<Record<string, Schema>>, place: Place): StructuralSchema {
  const [entry] = Object.entries(patterns);
  if (entry === undefined || Object.keys(patterns).length > 1) throw new Error(`${place.path}: a CRD knows one pattern of keys alone`);
  const [pattern, values] = entry;
  const made: StructuralSchema = { type: 'object', additionalProperties: convert(values, below(place, '{}')) };
  if (pattern === ANY_KEY) return made;
  const rule = { rule: `self.all(key, key.matches(${JSON.stringify(pattern)}))`, message: `each key must match ${pattern}` };
  return { ...made, maxProperties: MOST_KEYS, 'x-kubernetes-validations': [rule] };
}

/** A list of different words is a set; of anything else the API server compares no two entries. */
function list({ items = {}, uniqueItems = false }: Schema, place: Place): StructuralSchema {
  const entry = convert(items, below(place, '[]'));
  const isSet = uniqueItems && entry.type === 'string';
  const bound = isRuled(entry) ? { maxItems: MOST_ENTRIES } : {};
  return { type: 'array', items: entry, 'x-kubernetes-list-type': isSet ? 'set' : 'atomic', ...bound };
}

/** Whether a rule stands at it or below it. */
function isRuled(schema: StructuralSchema): boolean {
  const { properties = {}, items, additionalProperties } = schema;
  return (
    schema['x-kubernetes-validations'] !== undefined ||
    [...Object.values(properties), items, additionalProperties].some((inner) => inner !== undefined && isRuled(inner))
  );
}

/** Unions in specs are of constants, or of objects that differ in their one field: then one object of which exactly one field is set. */
function union(branches: readonly Schema[], place: Place): StructuralSchema {
  const [only] = branches;
  if (only !== undefined && branches.length === 1) return convert(only, place);
  if (branches.every((branch) => branch.const !== undefined)) return oneOfThese(branches.map((branch) => branch.const));
  const names = branches.flatMap((branch) => Object.keys(branch.properties ?? {}));
  if (names.length !== branches.length || new Set(names).size !== names.length)
    throw new Error(`${place.path}: a CRD knows no union of ${JSON.stringify(branches).slice(0, 200)}`);
  const properties = Object.assign({}, ...branches.map((branch) => branch.properties));
  return { ...object({ properties }, place), 'x-kubernetes-validations': [exactlyOneOf(names)] };
}

function oneOfThese(values: readonly unknown[]): StructuralSchema {
  if (!values.every((value) => typeof value === 'string')) throw new Error(`a CRD of ours has words to choose from, not ${values}`);
  return { type: 'string', enum: values };
}

function below({ path, ...place }: Place, step: string): Place {
  return { ...place, path: path + step };
}

/** Of these fields exactly one is set. */
export function exactlyOneOf(fields: readonly string[]): CelRule {
  const given = fields.map((field) => `has(self.${field})`).join(', ');
  return { rule: `[${given}].exists_one(given, given)`, message: `must have exactly one of ${fields.join(', ')}` };
}

/** Of these fields at least one is set. */
export function anyOf(fields: readonly string[], message: string): CelRule {
  return { rule: fields.map((field) => `has(self.${field})`).join(' || '), message };
}
