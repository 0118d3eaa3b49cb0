import { expect, it } from 'vitest';
import { KINDS } from './kinds.ts';

interface Schema {
  readonly description?: string;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
}

/** Every field below a schema, by its path. */
function fieldsOf(schema: Schema, path: string): readonly (readonly [string, Schema])[] {
  const named = Object.entries(schema.properties ?? {}).map(([name, field]) => [`${path}.${name}`, field] as const);
  const inner = [
    ...(schema.anyOf ?? []),
    ...Object.values(schema.patternProperties ?? {}),
    ...(schema.items === undefined ? [] : [schema.items]),
  ];
  return [
    ...named.flatMap(([at, field]) => [[at, field] as const, ...fieldsOf(field, at)]),
    ...inner.flatMap((one) => fieldsOf(one, `${path}[]`)),
  ];
}

it.each(KINDS.map(({ kind, spec }) => [kind, spec as Schema] as const))('%s says what each of its fields is for', (kind, spec) => {
  const fields = [[kind, spec] as const, ...fieldsOf(spec, kind)];
  expect(fields.length).toBeGreaterThan(0);
  // A sentence or more, not the name again.
  const silent = fields.filter(([, { description = '' }]) => !/^[a-zA-Z].{8,}[.]$/.test(description)).map(([path]) => path);
  expect(silent).toEqual([]);
});
