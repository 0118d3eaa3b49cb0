import { generateKeyPairSync } from 'node:crypto';
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import { regionLossEvidence } from '@hawser/model/drill-evidence-fixture.ts';
import { digestOf, signedReport } from '@hawser/model/drill-report.ts';
import { describe, expect, it } from 'vitest';
import { reportHtml } from './report-html.ts';
import { reportMarkdown } from './report-markdown.ts';
import { trafficByPhase, trafficColumns } from './traffic-columns.ts';
import { duration, percent } from './words.ts';

const { privateKey } = generateKeyPairSync('ed25519');

function forms(changed: Partial<DrillEvidence> = {}): { readonly html: string; readonly markdown: string } {
  const report = signedReport(regionLossEvidence(changed), privateKey);
  return { html: reportHtml(report), markdown: reportMarkdown(report) };
}

/** What nobody measured, said or did. */
const NOTHING: Partial<DrillEvidence> = {
  ...{ outcome: 'Skipped', services: [], weights: [], checks: [], approvals: [], overrides: [], notes: [], timeline: [], phases: [] },
  ...{ objectives: [], clusters: [], traffic: { from: '2026-03-10T09:00:00Z', stepMs: 1000, series: [] } },
  versions: { hub: '0.1.0', agents: [], envoys: [] },
};

describe('a report as HTML', () => {
  it('needs no other file and runs nothing', () => {
    const { html } = forms();
    expect(html).not.toMatch(/<script|<link|<img|<iframe|\son[a-z]+=|javascript:|url\(|@import|\ssrc=|\shref=/i);
    expect(html).toContain("default-src 'none'");
  });

  it('is balanced, and every picture has a name and a description of its own', () => {
    const { html } = forms();
    const open: string[] = [];
    for (const [, close, name = '', rest = ''] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)([^>]*)>/g)) {
      if (close === '/') expect(open.pop()).toBe(name);
      else if (!rest.endsWith('/') && !['meta', 'br'].includes(name)) open.push(name);
    }
    expect(open).toEqual([]);
    const pictures = [...html.matchAll(/<svg[^>]*role="img" aria-labelledby="(\S+) (\S+)"/g)];
    expect(pictures.length).toBeGreaterThan(8);
    for (const [, title, description] of pictures) {
      expect(html).toMatch(new RegExp(`<title id="${title}">[^<]+</title><desc id="${description}">[^<]{20,}</desc>`));
    }
    const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('shows what people and servers wrote as text, wherever it stands', () => {
    const hostile = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u0000\u202e\ud800';
    const deep = (value: unknown): unknown => {
      if (typeof value === 'string') return /^\d{4}-/.test(value) ? value : `${hostile}${value}`;
      if (Array.isArray(value)) return value.map(deep);
      return value !== null && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, deep(v)])) : value;
    };
    const { version, ...rest } = regionLossEvidence();
    const report = {
      ...signedReport(regionLossEvidence(), privateKey),
      evidence: { version, ...(deep(rest) as Omit<DrillEvidence, 'version'>) },
    };
    const html = reportHtml(report);
    for (const part of ['<script', '<img', '\u0000', '\u202e']) expect(html.includes(part)).toBe(false);
    expect(html.isWellFormed()).toBe(true);
    expect(html).toContain('&lt;script&gt;alert(1)');
    const markdown = reportMarkdown(report);
    const outside = markdown.replace(/```json[\s\S]*?```/, '');
    expect(outside).not.toMatch(/[^\\]<script|[^\\]<img/);
  });

  it('says "not known" for what is not, and is made of nothing as well', () => {
    const unknown = { decideMs: null, propagateP50Ms: null, propagateP99Ms: null, injectMs: null, detectMs: null, recoverMs: null };
    const { html, markdown } = forms({ ...NOTHING, timings: { ...unknown, restoreMs: null, rtoMs: null, rtoResolutionMs: null } });
    for (const text of [html, markdown]) {
      expect(text).not.toMatch(/NaN|Infinity|undefined|\[object/);
      expect(text).toContain('no requests were measured');
      expect(text).toContain('–');
    }
    for (const text of Object.values(forms())) expect(text).not.toMatch(/NaN|Infinity|undefined|\[object/);
  });
});

describe('a report as Markdown', () => {
  it('has the figures, and every table has as many cells in each row as in its head', () => {
    const { markdown } = forms();
    expect(markdown).toContain('# Passed: us-east-loss\n');
    expect(markdown).toContain('| Recovery time (RTO) | 412 ms | objective 1 s, ± 50 ms |');
    expect(markdown).toContain('dashboards of the shop show nothing: \\<b\\>as expected\\</b\\> \\& calm');
    for (const table of markdown.split('\n\n').filter((block) => block.startsWith('|'))) {
      const widths = table.split('\n').map((line) => line.replace(/\\\|/g, '').split('|').length);
      expect(new Set(widths).size).toBe(1);
    }
  });

  it('names the digest that the report is known by', () => {
    const report = signedReport(regionLossEvidence(), privateKey);
    expect(reportMarkdown(report)).toContain(digestOf(report.statement));
    expect(reportHtml(report)).toContain(digestOf(report.statement));
  });
});

describe('traffic in a report', () => {
  const series = (requests: (number | null)[], failed = requests.map(() => 0)) => ({
    ...{ service: 'shop/cart', source: 'a', destination: 'b', requests, failed },
  });

  it('of a long run is shown in columns that lose nothing', () => {
    const steps = 3_601;
    const evidence = regionLossEvidence({
      traffic: {
        from: '2026-03-10T09:00:00.000Z',
        stepMs: 1000,
        series: [
          series(
            Array.from({ length: steps }, () => 7),
            [1, ...Array.from({ length: steps - 1 }, () => 0)],
          ),
        ],
      },
    });
    const columns = trafficColumns(evidence);
    expect(columns.length).toBeLessThanOrEqual(240);
    const seconds = columns.map(({ from, to }) => (to - from) / 1_000);
    expect(seconds.reduce((sum, one) => sum + one, 0)).toBe(steps);
    expect(columns.every(({ rates }) => rates.get('b') === 7)).toBe(true);
    expect(columns.reduce((sum, { failed }, index) => sum + failed * (seconds[index] ?? 0), 0)).toBeCloseTo(1, 9);
  });

  it('that is not known of all callers is said to be that', () => {
    const at = (second: number): string => new Date(Date.parse('2026-03-10T09:00:00.000Z') + second * 1000).toISOString();
    const evidence = regionLossEvidence({
      phases: [
        { phase: 'Preflight', from: at(0), to: at(2) },
        { phase: 'Holding', from: at(2), to: at(4) },
      ],
      traffic: { from: at(0), stepMs: 1000, series: [series([1, 2, null, 4]), series([1, 1, 1, 1], [0, 0, 1, 0])] },
    });
    expect(trafficColumns(evidence).map(({ isPartial }) => isPartial)).toEqual([false, false, true, false]);
    expect(trafficByPhase(evidence)).toEqual([
      { phase: 'Preflight', requests: new Map([['b', 5]]), failed: 0, unknownSteps: 0 },
      { phase: 'Holding', requests: new Map([['b', 6]]), failed: 1, unknownSteps: 1 },
    ]);
  });
});

it('numbers are in words that fit their size', () => {
  expect([null, 0, 412, 1_000, 17_120, 59_949, 72_000, 3_600_000, 4_800_000].map(duration)).toEqual([
    ...['–', '0 ms', '412 ms', '1 s', '17.1 s', '59.9 s', '1 min 12 s', '1 h', '1 h 20 min'],
  ]);
  expect([null, 0, 0.004, 46.25, 100].map(percent)).toEqual(['–', '0 %', '0.004 %', '46.3 %', '100 %']);
});
