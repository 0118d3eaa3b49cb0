/** What a RequestAuthentication must be beyond its shape. Pure. */
import { headerNameProblem } from '../../header-text.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { RequestAuthenticationJwtRules, RequestAuthenticationSpec } from '../specs.ts';
import { durationProblems, invalid, type Steps } from './checks.ts';
import { targetProblems } from './targets.ts';

/** Every problem of a RequestAuthentication; paths are below the spec. */
export function requestAuthenticationProblems(spec: RequestAuthenticationSpec, namespace: string): readonly SchemaProblem[] {
  return [...targetProblems(spec, namespace), ...(spec.jwtRules ?? []).flatMap((rule, index) => ruleProblems(['jwtRules', index], rule))];
}

function ruleProblems(steps: Steps, rule: RequestAuthenticationJwtRules): readonly SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  const at = (field: Steps, message: string): void => void problems.push(invalid([...steps, ...field], message));
  if ((rule.issuer ?? '') === '') at(['issuer'], 'is required: tokens of any other issuer are refused');
  const given = (['jwks', 'jwksUri', 'jwks_uri'] as const).filter((field) => (rule[field] ?? '') !== '');
  if (given.length !== 1) at([], 'needs exactly one of jwks and jwksUri: keys are not looked for at the issuer');
  if ((rule.jwks ?? '') !== '') problems.push(...keyProblems([...steps, 'jwks'], rule.jwks ?? ''));
  for (const field of ['jwksUri', 'jwks_uri'] as const) {
    const uri = rule[field] ?? '';
    if (uri !== '' && !isServer(uri)) at([field], `is ${uri}: must be http:// or https://, a host, and no user or fragment`);
  }
  for (const [index, { name }] of (rule.fromHeaders ?? []).entries())
    if (headerNameProblem(name) !== undefined) at(['fromHeaders', index, 'name'], 'is no name of a header');
  for (const [index, { claim, header }] of (rule.outputClaimToHeaders ?? []).entries()) {
    if (claim === '') at(['outputClaimToHeaders', index, 'claim'], 'must not be empty');
    if (headerNameProblem(header) !== undefined) at(['outputClaimToHeaders', index, 'header'], 'is no name of a header');
  }
  if (rule.outputPayloadToHeader !== undefined && headerNameProblem(rule.outputPayloadToHeader) !== undefined)
    at(['outputPayloadToHeader'], 'is no name of a header');
  for (const field of ['audiences', 'fromParams', 'fromCookies', 'spaceDelimitedClaims'] as const)
    for (const [index, value] of (rule[field] ?? []).entries()) if (value === '') at([field, index], 'must not be empty');
  return [...problems, ...durationProblems([...steps, 'timeout'], rule.timeout)];
}

/** A set of public keys (RFC 7517): what signs belongs to the issuer alone. */
function keyProblems(steps: Steps, text: string): readonly SchemaProblem[] {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    return [invalid(steps, 'is no JSON: must be {"keys": [...]}')];
  }
  const keys: unknown = (set as { readonly keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys) || keys.length === 0) return [invalid(steps, 'must be {"keys": [...]} with at least one key')];
  return keys.flatMap((key: { readonly kty?: unknown; readonly d?: unknown } | null, index) => {
    if (key === null || typeof key !== 'object' || typeof key.kty !== 'string') return [invalid(steps, `key ${index} has no kty`)];
    if (key.kty === 'oct') return [invalid(steps, `key ${index} is symmetric: whoever reads the policy could make tokens`)];
    return key.d === undefined ? [] : [invalid(steps, `key ${index} is a private one: take it back, and out of use`)];
  });
}

function isServer(uri: string): boolean {
  return /^https?:\/\/(\[[0-9a-fA-F:]+\]|[^/:?#@\s]+)(:\d{1,5})?([/?][^#\s]*)?$/.test(uri) && URL.canParse(uri);
}
