import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS } from '@hawser/runtime/metrics-catalogue.ts';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startPrometheus } from '../../test/kit/prometheus.ts';
import { available } from '../../test/kit/requirements.ts';

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
    const named = `${expr}${Object.values(annotations).join()}`.matchAll(/by \((\w+)\)|\$labels\.(\w+)|[{,](\w+)=/g);
    const labels = [...named].map(([, a, b, c]) => a ?? b ?? c);
    for (const metric of metrics) {
      const known = Object.entries(METRICS).find(([name]) => name === metric)?.[1];
      expect(known, metric).toBeDefined();
      for (const label of labels) expect(known?.labels, metric).toContain(label);
    }
  }
});

/** What a hub exposes: when all is well, and when each alert is meant. */
const exposed = (isWell: boolean): string => `
hub_drain_active{drain="east",phase="${isWell ? 'Drained' : 'Held'}"} 1
hub_notifications_total{sink="chat",outcome="given-up"} ${isWell ? 0 : 1}
hub_drill_overdue_seconds{drill="leave"} ${isWell ? 0 : 60}
hub_drill_ready{drill="leave"} ${isWell ? 1 : 0}
hub_cluster_policies{cluster="us-east",state="Adopted"} 2
hub_cluster_policies{cluster="us-east",state="Refused"} ${isWell ? 0 : 1}
`;

interface Alerts {
  readonly alerts: readonly { readonly labels: { readonly alertname: string }; readonly annotations: Readonly<Record<string, string>> }[];
}

describe.skipIf(!available('prometheus'))('a real Prometheus', { timeout: 90_000 }, () => {
  it('takes the rules, is silent while all is well, and raises each alert, in words that are whole', async () => {
    const rules = files.map((file) => join(import.meta.dirname, file));
    const names = rules.flatMap((file) => (parse(readFileSync(file, 'utf8')) as Rules).groups.flatMap((group) => group.rules));
    const prometheus = await startPrometheus(exposed(true), rules);
    try {
      const raised = async (): Promise<Alerts['alerts']> => (await prometheus.ask<Alerts>('/api/v1/alerts')).alerts;
      const isEvaluated = async (): Promise<boolean> => {
        const { groups } = await prometheus.ask<{ groups: readonly { rules: readonly { health: string }[] }[] }>('/api/v1/rules');
        return groups.every((group) => group.rules.every(({ health }) => health === 'ok'));
      };
      await expect.poll(isEvaluated, { timeout: 30_000 }).toBe(true);
      expect(await raised()).toEqual([]);
      prometheus.expose(exposed(false));
      const told = async (): Promise<string[]> => (await raised()).map(({ labels }) => labels.alertname).sort();
      await expect.poll(told, { timeout: 30_000 }).toEqual(names.map(({ alert }) => alert).sort());
      for (const { annotations } of await raised()) expect(Object.values(annotations).join()).not.toMatch(/\{\{|<error|<no value>/);
    } finally {
      await prometheus.stop();
    }
  });
});
