/** Schema, defaults and README of each chart say the same, and its links lead to the one source. */
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ValuesSchema, valueRows, valuesTable } from './values-table.ts';

const CHARTS = ['hawser-hub', 'hawser-agent'];
const read = (chart: string, file: string): string => readFileSync(join(import.meta.dirname, chart, file), 'utf8');
const MARKS = ['<!-- values -->', '<!-- /values -->'] as const;

describe.each(CHARTS)('%s', (chart) => {
  const schema = JSON.parse(read(chart, 'values.schema.json')) as ValuesSchema;
  const values = parse(read(chart, 'values.yaml')) as Record<string, unknown>;
  const rows = valueRows(schema, values);

  it('has a schema that takes its defaults, and a default and a description for each value of the schema', () => {
    const validate = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true }).compile(schema as object);
    expect([validate(values), validate.errors]).toEqual([true, null]);
    expect(rows.filter(({ byDefault, description }) => byDefault === undefined || description === '')).toEqual([]);
    expect(rows.length).toBeGreaterThan(40);
  });

  it('has a README that lists them', () => {
    const text = read(chart, 'README.md');
    const [start, end] = [text.indexOf(MARKS[0]) + MARKS[0].length, text.indexOf(MARKS[1])];
    const made = `${text.slice(0, start)}\n${valuesTable(rows)}\n${text.slice(end)}`;
    if (process.env['HAWSER_UPDATE_GOLDEN'] === '1') writeFileSync(join(import.meta.dirname, chart, 'README.md'), made);
    else expect(text).toBe(made);
  });

  it('holds no copy: what is also elsewhere is a link', () => {
    const links = ['templates/_shared.tpl', ...(chart === 'hawser-hub' ? ['files/alerts'] : ['files/kubernetes', 'crds'])];
    const isLink = (file: string): boolean => lstatSync(join(import.meta.dirname, chart, file)).isSymbolicLink();
    expect(links.filter((file) => !isLink(file))).toEqual([]);
    expect(readdirSync(join(import.meta.dirname, chart)).sort()).toEqual(
      [
        ...['.helmignore', 'Chart.yaml', 'README.md', 'files', 'templates', 'values.schema.json', 'values.yaml'],
        ...(chart === 'hawser-agent' ? ['crds'] : []),
      ].sort(),
    );
  });
});
