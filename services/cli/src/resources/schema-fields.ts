/** PURE: walks JSON Schema as TypeBox writes it, for people to read. */

/** The part of JSON Schema that the kinds use. */
export interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

/** A field as `explain` shows it. */
export interface FieldRow {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  /** What it is for. */
  readonly description: string;
}

/** The schema of a field; lists are looked through. Undefined when there is no such field. */
export function schemaAt(schema: Schema, steps: readonly string[]): Schema | undefined {
  let at: Schema | undefined = schema;
  for (const step of steps) {
    const inner: Schema = elementOf(at);
    at = inner.properties?.[step] ?? inner.anyOf?.map((choice) => choice.properties?.[step]).find((found) => found !== undefined);
    if (at === undefined) return undefined;
  }
  return at;
}

/** The fields below a schema; of every choice where there are several. */
export function fieldsOf(schema: Schema): FieldRow[] {
  const inner = elementOf(schema);
  const choices = inner.anyOf ?? [inner];
  return choices.flatMap((choice) =>
    Object.entries(choice.properties ?? {}).map(([name, field]) => ({
      name,
      type: typeText(field),
      required: inner.anyOf === undefined && (choice.required ?? []).includes(name),
      description: field.description ?? '',
    })),
  );
}

/** A type in a few words: `[]object`, `integer 0..100`, `gradual | strict`. */
export function typeText(schema: Schema): string {
  if (schema.const !== undefined) return String(schema.const);
  if (schema.anyOf !== undefined) {
    const choices = schema.anyOf.map((choice) =>
      choice.properties === undefined ? typeText(choice) : `{${Object.keys(choice.properties).join(', ')}}`,
    );
    return choices.join(' | ');
  }
  if (schema.items !== undefined) return `[]${typeText(schema.items)}`;
  const [value] = Object.values(schema.patternProperties ?? {});
  if (value !== undefined) return `map of ${typeText(value)}`;
  const range = schema.minimum === undefined && schema.maximum === undefined ? '' : ` ${schema.minimum ?? ''}..${schema.maximum ?? ''}`;
  return `${schema.type ?? 'any'}${range}`;
}

function elementOf(schema: Schema): Schema {
  return schema.items === undefined ? schema : elementOf(schema.items);
}
