/**
 * A report: the evidence of a run with a signature. Signed (Ed25519, RFC 8032) is the canonical text (RFC 8785) of a statement that has the
 * SHA-256 of each part of the evidence, so whoever verifies a report that was edited learns what was. Pure.
 */
import { createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalText } from './canonical-text.ts';
import { type DrillEvidence, EVIDENCE_VERSION } from './drill-evidence.ts';

/** What is signed: `sha256:HEX` of the canonical text of every part of the evidence, by its name. */
export interface ReportStatement {
  readonly version: number;
  readonly digests: Readonly<Record<string, string>>;
}

/** Whose word it is. Both texts are base64url. */
export interface ReportSignature {
  readonly algorithm: 'Ed25519';
  /** Thumbprint of the key (RFC 7638, SHA-256). */
  readonly keyId: string;
  /** The public key, raw: to be compared with one that is known, and not to be believed by itself. */
  readonly publicKey: string;
  readonly value: string;
}

/** A report as it is stored, served and verified. */
export interface DrillReport {
  readonly apiVersion: 'hawser.dev/v1alpha1';
  readonly kind: 'DrillReport';
  readonly evidence: DrillEvidence;
  readonly statement: ReportStatement;
  readonly signature: ReportSignature;
}

/** A public key that reports are verified with (RFC 8037). */
export interface ReportKey {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  /** Raw public key, base64url. */
  readonly x: string;
  /** Its thumbprint. */
  readonly kid: string;
}

/** RFC 7638 thumbprint of a raw public key in base64url. */
export function keyIdOf(publicKey: string): string {
  return hash('sha256', canonicalText({ crv: 'Ed25519', kty: 'OKP', x: publicKey }), 'base64url');
}

/** The key as it is published. */
export function reportKeyOf(publicKey: string): ReportKey {
  return { kty: 'OKP', crv: 'Ed25519', x: publicKey, kid: keyIdOf(publicKey) };
}

/** `sha256:HEX` of the canonical text of a value: of specs, and of statements, which is what a report is known by. */
export function digestOf(value: unknown): string {
  return `sha256:${hash('sha256', canonicalText(value))}`;
}

/** What there is to sign of this evidence. */
export function statementOf(evidence: object): ReportStatement {
  const parts = Object.entries(evidence).filter(([, part]) => part !== undefined);
  return { version: EVIDENCE_VERSION, digests: Object.fromEntries(parts.map(([name, part]) => [name, digestOf(part)])) };
}

/** The evidence with its signature. */
export function signedReport(evidence: DrillEvidence, privateKey: KeyObject): DrillReport {
  const publicKey = createPublicKey(privateKey).export({ format: 'jwk' }).x ?? '';
  const statement = statementOf(evidence);
  const value = sign(null, Buffer.from(canonicalText(statement)), privateKey).toString('base64url');
  const signature = { algorithm: 'Ed25519', keyId: keyIdOf(publicKey), publicKey, value } as const;
  return { apiVersion: 'hawser.dev/v1alpha1', kind: 'DrillReport', evidence, statement, signature };
}

/**
 * Why a report is refused. `truncated`: the text ends too soon; `unreadable`: it is no report; `wrong-version`: of a shape that is not known
 * here; `unknown-key`: signed with none of the given keys; `bad-signature`: the statement is not what that key signed; `edited`: a part of
 * the evidence is not what was signed.
 */
export interface ReportProblem {
  readonly rule: 'truncated' | 'unreadable' | 'wrong-version' | 'unknown-key' | 'bad-signature' | 'edited';
  /** Part that it is about, such as `evidence.services`; '' for the whole. */
  readonly part: string;
  readonly message: string;
}

/** The report, or every reason why it is none that one of the keys vouches for. */
export type Verification = { readonly report: DrillReport; readonly digest: string } | { readonly problems: readonly ReportProblem[] };

/** Verifies the text of a report against these keys alone; the key within it is not believed. */
export function verifyReport(text: string, keys: readonly ReportKey[]): Verification {
  const read = parsed(text);
  if ('rule' in read) return { problems: [read] };
  const { report } = read;
  const { evidence, statement, signature } = report;
  for (const [part, version] of [['evidence', evidence.version] as const, ['statement', statement.version] as const]) {
    if (version === EVIDENCE_VERSION) continue;
    const known = `this release reads version ${EVIDENCE_VERSION}`;
    return { problems: [problem('wrong-version', `${part}.version`, `is ${JSON.stringify(version)}; ${known}`)] };
  }
  const key = keys.find(({ kid }) => kid === signature.keyId);
  if (key === undefined) return { problems: [problem('unknown-key', 'signature.keyId', unknownKey(signature.keyId, keys))] };
  const problems = [...signatureProblems(report, key), ...editedParts(evidence, statement), ...strangers(report)];
  return problems.length > 0 ? { problems } : { report, digest: digestOf(statement) };
}

function parsed(text: string): { readonly report: DrillReport } | ReportProblem {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (isCutOff(text)) return problem('truncated', '', `it ends after ${text.length} characters, in the midst of a value`);
    return problem('unreadable', '', `it is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const missing = ['evidence', 'statement', 'signature'].find((part) => !isObject(isObject(value) ? value[part] : undefined));
  if (missing !== undefined || !isObject(value)) return problem('unreadable', missing ?? '', 'is missing: this is no report of a drill');
  if (value['kind'] !== 'DrillReport') return problem('unreadable', 'kind', 'is not DrillReport');
  const report = value as unknown as DrillReport;
  if (!isObject(report.statement.digests)) return problem('unreadable', 'statement.digests', 'is missing: nothing is signed');
  // Readers differ in which of two they take (RFC 8259 section 4); `JSON.parse` hides the first.
  if (outsideOfTexts(text).split(':').length - 1 !== namesIn(value)) return problem('edited', '', 'a name stands twice in one object');
  return { report };
}

/** The brackets, colons and commas. */
function outsideOfTexts(text: string): string {
  return text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"/gs, '');
}

function isCutOff(text: string): boolean {
  const rest = outsideOfTexts(text);
  const count = (bracket: RegExp): number => rest.match(bracket)?.length ?? 0;
  return rest.trim() === '' || rest.includes('"') || count(/[{[]/g) > count(/[}\]]/g);
}

function namesIn(value: unknown): number {
  if (value === null || typeof value !== 'object') return 0;
  const inner = Object.values(value).reduce((sum: number, one) => sum + namesIn(one), 0);
  return inner + (Array.isArray(value) ? 0 : Object.keys(value).length);
}

function unknownKey(keyId: string, keys: readonly ReportKey[]): string {
  const known = keys.length === 0 ? 'no key was given' : `known are ${keys.map(({ kid }) => kid).join(', ')}`;
  return `${JSON.stringify(keyId)} signed it, and ${known}`;
}

function signatureProblems({ statement, signature }: DrillReport, { x }: ReportKey): ReportProblem[] {
  const bad = (part: string, message: string): ReportProblem[] => [problem('bad-signature', part, message)];
  if (signature.algorithm !== 'Ed25519') return bad('signature.algorithm', `is ${JSON.stringify(signature.algorithm)}, not Ed25519`);
  if (signature.publicKey !== x) return bad('signature.publicKey', 'is not the key of signature.keyId');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  const isSigned = verify(null, Buffer.from(textOrNone(statement)), key, Buffer.from(String(signature.value), 'base64url'));
  return isSigned ? [] : bad('statement', 'is not what the key signed');
}

function editedParts(evidence: object, statement: ReportStatement): ReportProblem[] {
  const found = new Map(Object.entries(evidence));
  const signed = new Map(Object.entries(statement.digests));
  return [...new Set([...signed.keys(), ...found.keys()])].flatMap((name) => {
    if (!signed.has(name)) return [problem('edited', `evidence.${name}`, 'was added after it was signed')];
    if (!found.has(name)) return [problem('edited', `evidence.${name}`, 'was removed after it was signed')];
    const isAsSigned = signed.get(name) === `sha256:${hash('sha256', textOrNone(found.get(name)))}`;
    return isAsSigned ? [] : [problem('edited', `evidence.${name}`, 'was changed after it was signed')];
  });
}

/** What has no canonical text was never signed. */
function textOrNone(value: unknown): string {
  try {
    return canonicalText(value);
  } catch {
    return '';
  }
}

const PARTS = ['apiVersion', 'kind', 'evidence', 'statement', 'signature'];

/** What stands beside the signed parts is nobody's word. */
function strangers(report: DrillReport): ReportProblem[] {
  const added = Object.keys(report).filter((name) => !PARTS.includes(name));
  return added.map((name) => problem('edited', name, 'was added after it was signed'));
}

function problem(rule: ReportProblem['rule'], part: string, message: string): ReportProblem {
  return { rule, part, message };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
