import { expect, it } from 'vitest';
import type { ExportFacts } from './export-facts.ts';
import { mergedExports } from './merge-exports.ts';

const HTTP = { name: 'http', protocol: 'TCP', port: 80 } as const;
const one = (cluster: string, createdAt: string | undefined, facts: Partial<ExportFacts> = {}) => ({
  cluster,
  facts: { type: 'ClusterSetIP', ports: [HTTP], ...(createdAt === undefined ? {} : { createdAt }), ...facts } satisfies ExportFacts,
});

it('is nothing without an export', () => expect(mergedExports([])).toBeUndefined());

it('adds a port that one cluster alone has, of a protocol that the mesh does not carry as well', () => {
  const sctp = { name: 'sctp', protocol: 'SCTP', port: 142 } as const;
  const made = mergedExports([one('a', '2026-01-01T00:00:00Z'), one('b', '2026-01-02T00:00:00Z', { ports: [HTTP, sctp] })]);
  expect(made?.spec.ports).toEqual([HTTP, sctp]);
  expect(made?.conflicts.map(({ reason }) => reason)).toEqual(['PortConflict']);
});

it('keeps the older number of a name', () => {
  const made = mergedExports([one('a', '2026-01-02T00:00:00Z', { ports: [{ ...HTTP, port: 81 }] }), one('b', '2026-01-01T00:00:00Z')]);
  expect(made?.spec.ports).toEqual([HTTP]);
  expect(made?.conflicts[0]?.message).toBe(
    'spec.ports differs: http 80/TCP in b; http 81/TCP in a; their union is exposed, b deciding where two collide, the oldest export',
  );
});

it('takes an export without a known age for the youngest, and of those the first by name for the older', () => {
  const headless = { type: 'Headless' } as const;
  expect(mergedExports([one('a', undefined, headless), one('b', '2026-01-01T00:00:00Z')])?.spec.type).toBe('ClusterSetIP');
  expect(mergedExports([one('a', 'yesterday', headless), one('b', undefined)])?.spec.type).toBe('Headless');
});

it('bounds its messages: a hundred clusters, and labels as long as they may be', () => {
  const many = Array.from({ length: 100 }, (_, at) => one(`c${at}`, undefined, { labels: { at: `${at}`.padStart(4_000, '0') } }));
  const [conflict] = mergedExports(many)?.conflicts ?? [];
  expect(conflict?.reason).toBe('LabelsConflict');
  expect(conflict?.message.length).toBeLessThan(2_000);
  expect(conflict?.message).toContain('95 more');
});
