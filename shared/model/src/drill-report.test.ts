import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonicalText } from './canonical-text.ts';
import { DrillEvidence } from './drill-evidence.ts';
import { regionLossEvidence } from './drill-evidence-fixture.ts';
import {
  type DrillReport,
  digestOf,
  keyIdOf,
  type ReportKey,
  reportKeyOf,
  signedReport,
  statementOf,
  verifyReport,
} from './drill-report.ts';
import { schemaProblems } from './validate-schema.ts';

const { privateKey } = generateKeyPairSync('ed25519');
const key = publicOf(privateKey);
const report = signedReport(regionLossEvidence(), privateKey);

function publicOf(secret: typeof privateKey): ReportKey {
  return reportKeyOf(createPublicKey(secret).export({ format: 'jwk' }).x ?? '');
}

/** Rules and parts by which a text is refused; nothing for what is verified. */
function refusals(text: string, keys: readonly ReportKey[] = [key]): string[] {
  const verified = verifyReport(text, keys);
  return 'problems' in verified ? verified.problems.map(({ rule, part }) => `${rule} ${part}`.trim()) : [];
}

function edited(edit: (copy: { -readonly [Key in keyof DrillReport]: Record<string, unknown> }) => void): string {
  const copy = JSON.parse(JSON.stringify(report));
  edit(copy);
  return JSON.stringify(copy);
}

describe('a signed report', () => {
  it('is verified however its JSON is laid out', () => {
    expect(schemaProblems(DrillEvidence, report.evidence)).toEqual([]);
    for (const text of [JSON.stringify(report), JSON.stringify(report, null, 2), canonicalText(report)])
      expect(verifyReport(text, [key])).toEqual({ report: JSON.parse(text), digest: digestOf(report.statement) });
  });

  it('that was edited is refused, and the parts are named', () => {
    expect(refusals(edited(({ evidence }) => Object.assign(evidence, { outcome: 'Aborted' })))).toEqual(['edited evidence.outcome']);
    const failed = edited(({ evidence }) =>
      Object.assign((evidence['services'] as { failed: number }[])[0] ?? {}, { failed: 0, requests: 1 }),
    );
    expect(refusals(failed)).toEqual(['edited evidence.services']);
    expect(refusals(edited(({ evidence }) => delete evidence['notes']))).toEqual(['edited evidence.notes']);
    expect(refusals(edited(({ evidence }) => Object.assign(evidence, { comment: '' })))).toEqual(['edited evidence.comment']);
    expect(refusals(edited((copy) => Object.assign(copy, { comment: '' })))).toEqual(['edited comment']);
    expect(refusals(edited(({ evidence }) => Object.assign(evidence, { why: '\ud800', by: 'x' })))).toEqual([
      'edited evidence.by',
      'edited evidence.why',
    ]);
  });

  it('is refused when what was signed was made to fit', () => {
    const fitted = edited(({ evidence, statement }) => {
      Object.assign(evidence, { outcome: 'Aborted' });
      Object.assign(statement, statementOf(evidence));
    });
    expect(refusals(fitted)).toEqual(['bad-signature statement']);
    expect(refusals(edited(({ signature }) => Object.assign(signature, { value: 'AAAA' })))).toEqual(['bad-signature statement']);
    expect(refusals(edited(({ signature }) => Object.assign(signature, { algorithm: 'none' })))).toEqual([
      'bad-signature signature.algorithm',
    ]);
  });

  it('of another key is refused, whatever it says of itself', () => {
    const other = generateKeyPairSync('ed25519').privateKey;
    const forged = signedReport(regionLossEvidence({ outcome: 'Failed' }), other);
    expect(refusals(JSON.stringify(forged))).toEqual(['unknown-key signature.keyId']);
    expect(refusals(JSON.stringify(forged), [])).toEqual(['unknown-key signature.keyId']);
    expect(refusals(JSON.stringify(forged), [publicOf(other)])).toEqual([]);
    const posing = { ...forged, signature: { ...forged.signature, keyId: key.kid } };
    expect(refusals(JSON.stringify(posing))).toEqual(['bad-signature signature.publicKey']);
    expect(refusals(JSON.stringify({ ...posing, signature: { ...posing.signature, publicKey: key.x } }))).toEqual([
      'bad-signature statement',
    ]);
  });

  it('of another version is refused', () => {
    expect(refusals(edited(({ evidence }) => Object.assign(evidence, { version: 2 })))).toEqual(['wrong-version evidence.version']);
    expect(refusals(edited(({ statement }) => delete statement['version']))).toEqual(['wrong-version statement.version']);
  });

  it('that was cut off anywhere is refused as that', () => {
    const text = JSON.stringify(report, null, 1);
    for (let length = 0; length < text.trimEnd().length; length += 997) expect(refusals(text.slice(0, length))).toEqual(['truncated']);
    expect(refusals(text.slice(0, -1))).toEqual(['truncated']);
  });

  it('with a name twice is refused: readers differ in which of them they show', () => {
    const text = JSON.stringify(report);
    expect(refusals(text.replace('"evidence":{', '"evidence":{"outcome":"Failed",'))).toEqual(['edited']);
    expect(refusals(text.replace('"outcome":"Passed"', '"outcome":"Passed","outcome":"Passed"'))).toEqual(['edited']);
  });

  it('is none', () => {
    for (const text of ['null', '[]', '{}', '{"evidence":{},"statement":{}}']) expect(refusals(text)[0]).toMatch(/^unreadable/);
    expect(refusals('{"evidence":1}}')).toEqual(['unreadable']);
    expect(refusals(edited((copy) => Object.assign(copy, { kind: 'List' })))).toEqual(['unreadable kind']);
    expect(refusals(edited(({ statement }) => delete statement['digests']))).toEqual(['unreadable statement.digests']);
  });
});

it('a key is known by its thumbprint', () => {
  // RFC 8037 appendix A.3.
  expect(keyIdOf('11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo')).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
});
