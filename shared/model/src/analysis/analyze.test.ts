import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import type { Resource } from '../resource.ts';
import { analysisDocument } from './analysis-document.ts';
import { type AnalysisInput, analyze } from './analyze.ts';
import { CASES } from './analyze-cases.ts';
import { FLEET, written } from './case.ts';
import { CODE_NAMES, CODES } from './codes.ts';
import type { Finding } from './finding.ts';
import { readSubject } from './subject.ts';

const codesIn = (input: Partial<AnalysisInput>): string[] => analyze({ written: [], ...FLEET, ...input }).map(({ code }) => code);

describe.each(CODE_NAMES)('%s', (code) => {
  const { finds, field, not, facts = FLEET, notFacts = facts } = CASES[code];

  it('is found, at its field and with a way out', () => {
    const found = analyze({ written: finds, ...facts }).filter((one) => one.code === code);
    expect(found.length, JSON.stringify(analyze({ written: finds, ...facts }))).toBeGreaterThan(0);
    if (field !== '*') expect(found[0]?.field).toBe(field);
    expect(found[0]?.message).not.toMatch(/undefined|\[object|\.$/);
    expect(found[0]?.fix).not.toBe('');
  });

  it('is not found where it is not', () => {
    expect(not.filter((one) => readSubject(one) === undefined)).toEqual([]);
    expect(analyze({ written: not, ...notFacts }).filter((one) => one.code === code)).toEqual([]);
  });
});

test('docs/analysis.md says what the codes are; npm run golden writes it', () => {
  const file = join(import.meta.dirname, '../../../../docs/analysis.md');
  if (process.env['HAWSER_UPDATE_GOLDEN'] === '1') writeFileSync(file, analysisDocument());
  expect(readFileSync(file, 'utf8')).toBe(analysisDocument());
});

describe('analyze', () => {
  const route = (http: readonly unknown[]): unknown => written('VirtualService', 'vs', { hosts: ['reviews'], http });
  const rule = { route: [{ destination: { host: 'reviews' } }] };

  it('concludes nothing from what it does not know', () => {
    const unknown = written('VirtualService', 'vs', { hosts: ['nobody'], http: [{ route: [{ destination: { host: 'nobody' } }] }] });
    expect(analyze({ written: [unknown, written('FailoverPolicy', 'f', { order: ['mars'] })] })).toEqual([]);
  });

  it('knows a drain that was restored by its form in force', () => {
    const shift = written('TrafficShift', 't', { services: ['reviews'], regions: { 'us-east': 50, 'us-west': 50 } });
    const drained = (percent: number): Resource => {
      const spec = { scope: { region: 'us-west' }, reason: 'switches' };
      const drain = written('Drain', 'd', spec, { namespace: '' }) as Resource;
      return { ...drain, inForce: { ...spec, percent } };
    };
    expect(codesIn({ written: [shift], stored: [drained(100)] })).toEqual(['HW0508']);
    expect(codesIn({ written: [shift], stored: [drained(0)] })).toEqual([]);
  });

  it('says what the hub refuses once, as an error, in the words of the finding that explains it', () => {
    const weights = [0, 0].map((weight) => ({ ...rule.route[0], weight }));
    const found = analyze({ written: [route([{ route: weights }])], ...FLEET });
    expect(found.map(({ code, severity }) => [code, severity])).toEqual([['HW0205', 'Error']]);
  });

  it('still analyses what has fields that nobody knows, and passes over what has no shape', () => {
    expect(codesIn({ written: [route([{ ...rule, tmeout: '1s' }, rule])] })).toEqual(['HW0001', 'HW0201']);
    expect(codesIn({ written: [route(['what'])] })).toEqual(['HW0001']);
    expect(
      codesIn({
        written: [null, 7, [], {}, { kind: 'Deployment' }, { kind: 'VirtualService' }, { kind: 'VirtualService', metadata: { name: 7 } }],
      }),
    ).toContain('HW0001');
  });

  it('takes what is written for what is stored under its name, with its age, and does not judge the stored again', () => {
    const stored = [
      written('VirtualService', 'a', { hosts: ['reviews'], http: [rule] }, { creationTimestamp: '2026-01-01T00:00:00Z' }),
      written(
        'VirtualService',
        'b',
        { hosts: ['reviews'], http: [{ ...rule, timeout: 'broken' }] },
        { creationTimestamp: '2026-01-02T00:00:00Z' },
      ),
    ] as Resource[];
    const again = written('VirtualService', 'a', { hosts: ['reviews'], http: [rule] });
    expect(analyze({ written: [again], stored, ...FLEET }).map(({ code, name }) => [code, name])).toEqual([['HW0203', 'b']]);
    const only = new Set(['VirtualService/bookinfo/a']);
    expect(codesIn({ written: [again], stored, only })).toEqual([]);
  });

  it('puts the worst first', () => {
    const found = analyze({
      written: [route([{ ...rule, tmeout: '1s' }, rule]), written('Gateway', 'g', { selector: {}, servers: [] })],
      ...FLEET,
    });
    const ranks = found.map(({ severity }: Finding) => ['Error', 'Warning', 'Info'].indexOf(severity));
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
  });

  it('has codes that are told apart, with clauses for a title and a fix', () => {
    for (const { title, fix } of Object.values(CODES)) expect(`${title} ${fix}`).not.toMatch(/\.$|^[A-Z][a-z]+ (is|are) /);
    expect(new Set(Object.values(CODES).map(({ title }) => title)).size).toBe(CODE_NAMES.length);
  });

  it('looks at thousands of policies in a moment, and at one of them in less', () => {
    const many = Array.from({ length: 2_000 }, (_, index) => [
      written('VirtualService', `v${index}`, {
        hosts: [`s${index}`],
        http: [{ route: [{ destination: { host: `s${index}`, subset: 'a' } }] }],
      }),
      written('DestinationRule', `d${index}`, { host: `s${index}`, subsets: [{ name: 'a', labels: { version: 'a' } }] }),
    ]).flat() as Resource[];
    const services = Array.from({ length: 2_000 }, (_, index) => ({ namespace: 'bookinfo', service: `s${index}`, shards: [] }));
    expect(analyze({ written: [], stored: many, services }).map(({ code }) => code)).toEqual(Array.from({ length: 2_000 }, () => 'HW0106'));
    expect(analyze({ written: [], stored: many, services, only: new Set(['VirtualService/bookinfo/v7']) })).toEqual([]);
  });
});
