import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS } from '@hawser/runtime/metrics-catalogue.ts';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

interface Rules {
  readonly groups: readonly {
    readonly name: string;
    readonly rules: readonly { readonly alert: string; readonly expr: string; readonly annotations: Readonly<Record<string, string>> }[];
  }[];
}

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.yaml'));

it.each(files)('%s is about metrics and labels that there are', (file) => {
  const { groups } = parse(readFileSync(join(import.meta.dirname, file), 'utf8')) as Rules;
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.length).toBeGreaterThan(0);
  for (const { expr, annotations } of rules) {
    const metrics = [...expr.matchAll(/\b(?:hub|agent)_[a-z_]+/g)].map(([name]) => name);
    expect(metrics.length).toBeGreaterThan(0);
    const labels = [...`${expr}${Object.values(annotations).join()}`.matchAll(/by \((\w+)\)|\$labels\.(\w+)/g)].map(([, a, b]) => a ?? b);
    for (const metric of metrics) {
      const known = Object.entries(METRICS).find(([name]) => name === metric)?.[1];
      expect(known, metric).toBeDefined();
      for (const label of labels) expect(known?.labels, metric).toContain(label);
    }
  }
});
