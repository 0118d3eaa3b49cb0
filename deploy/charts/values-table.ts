/** PURE: the table of a chart's values for its README, from the schema that Helm checks them by and the defaults. */

/** What is read of JSON Schema. */
export interface ValuesSchema {
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, ValuesSchema>>;
}

/** One value. */
export interface ValueRow {
  /** `image.tag`. */
  readonly name: string;
  readonly byDefault: unknown;
  readonly description: string;
}

/** Every value that can be set, sections taken apart, in the order of the defaults. `global` is Helm's own. */
export function valueRows(schema: ValuesSchema, defaults: unknown, prefix = ''): ValueRow[] {
  const given = defaults as Readonly<Record<string, unknown>>;
  const names = Object.keys(schema.properties ?? {}).filter((name) => prefix !== '' || name !== 'global');
  const order = Object.keys(given);
  return names
    .sort((a, b) => order.indexOf(a) - order.indexOf(b))
    .flatMap((key): ValueRow[] => {
      const [child = {}, name] = [schema.properties?.[key], `${prefix}${key}`];
      if (child.properties !== undefined) return valueRows(child, given[key], `${name}.`);
      return [{ name, byDefault: given[key], description: child.description ?? '' }];
    });
}

/** The same as Markdown. */
export function valuesTable(rows: readonly ValueRow[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const lines = rows.map(({ name, byDefault, description }) => `| \`${name}\` | \`${JSON.stringify(byDefault)}\` | ${cell(description)} |`);
  return ['| value | default | what it is |', '|---|---|---|', ...lines].join('\n');
}
