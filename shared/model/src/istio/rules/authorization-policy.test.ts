import { describe, expect, it } from 'vitest';
import type { AuthorizationPolicySpec, RequestAuthenticationSpec } from '../specs.ts';
import { authorizationPolicyProblems } from './authorization-policy.ts';
import { requestAuthenticationProblems } from './request-authentication.ts';

function messages(spec: AuthorizationPolicySpec): string[] {
  return authorizationPolicyProblems(spec, 'bookinfo').map(({ steps, message }) => `${steps.join('.')} ${message}`);
}

const source = (fields: object): AuthorizationPolicySpec => ({ rules: [{ from: [{ source: fields }] }] });
const operation = (fields: object): AuthorizationPolicySpec => ({ rules: [{ to: [{ operation: fields }] }] });
const when = (key: string, more: object = { values: ['1'] }): AuthorizationPolicySpec => ({ rules: [{ when: [{ key, ...more }] }] });

describe('an AuthorizationPolicy is taken', () => {
  it.each<[string, AuthorizationPolicySpec]>([
    ['without anything', {}],
    ['with a rule for everything', { action: 'DENY', rules: [{}] }],
    ['with names and stars', source({ principals: ['*', 'a.test/*', '*/sa/b', 'spiffe://a.test/ns/b/sa/c'], namespaces: ['a*'] })],
    ['with accounts', source({ serviceAccounts: ['a/b', 'b'] })],
    ['with ranges', source({ ipBlocks: ['10.0.0.0/8', '2001:db8::1'] })],
    ['with templates', operation({ paths: ['/a/{*}/b', '/a/{**}', '/a/{*}/{**}', '/a*', '*b'] })],
    ['with claims', when('request.auth.claims[a][b]')],
    ['with headers', when('request.headers[x-a]', { notValues: ['*'] })],
  ])('%s', (_name, spec) => {
    expect(messages(spec)).toEqual([]);
  });
});

describe('an AuthorizationPolicy is refused', () => {
  it.each<[AuthorizationPolicySpec, string]>([
    [{ action: 'CUSTOM', rules: [{}] }, 'provider.name is required'],
    [{ provider: { name: 'a' } }, 'provider is for the action CUSTOM, and this is ALLOW'],
    [source({}), 'rules.0.from.0.source says nothing'],
    [source({ principals: ['a.test*'] }), 'a trust domain must be ended by a slash'],
    [source({ principals: ['productpage'] }), 'a principal is TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT'],
    [source({ principals: ['a.test/*/b'] }), 'a star can stand alone, at the beginning or at the end, once'],
    [source({ namespaces: ['a'], serviceAccounts: ['a/b'] }), 'cannot be beside principals or namespaces'],
    [source({ serviceAccounts: ['a/*'] }), 'stars are not for accounts'],
    [source({ ipBlocks: ['10.0.0.0/33'] }), 'must be an IP address or ADDRESS/BITS'],
    [operation({ ports: ['0'] }), 'must be a port'],
    [operation({ ports: ['http'] }), 'must be a port'],
    [operation({ paths: [''] }), 'must not be empty'],
    [operation({ paths: ['/a/{*}x'] }), '{*} and {**} are whole segments'],
    [operation({ paths: ['/a/{**}/{*}'] }), 'nothing of a template can follow {**} but text'],
    [operation({ paths: ['/a/{*}/*'] }), 'a template knows {*} and {**}'],
    [when('source.ip', {}), 'needs values or notValues for source.ip'],
    [when('request.headers[x]', { values: ['a'.repeat(257)] }), 'at most 256 characters'],
    [when('source.name'), 'known are source.ip'],
    [when('experimental.envoy.filters.a[b]'), "it would hand a rule over to metadata of Envoy's filters"],
  ])('%j', (spec, problem) => {
    expect(messages(spec).join('\n')).toContain(problem);
  });
});

describe('a RequestAuthentication', () => {
  const problems = (rule: object): string =>
    requestAuthenticationProblems({ jwtRules: [rule] } as RequestAuthenticationSpec, 'bookinfo')
      .map(({ steps, message }) => `${steps.join('.')} ${message}`)
      .join('\n');
  const issuer = 'https://a.example';
  const keys = (...all: object[]): string => JSON.stringify({ keys: all });

  it('is taken with public keys, or a place to fetch them', () => {
    expect(problems({ issuer, jwks: keys({ kty: 'EC', crv: 'P-256', x: 'a', y: 'b' }) })).toBe('');
    expect(problems({ issuer, jwksUri: 'https://a.example/keys?a=b', timeout: '3s' })).toBe('');
  });

  it.each<[object, string]>([
    [{ jwksUri: 'https://a.example' }, 'issuer is required'],
    [{ issuer }, 'needs exactly one of jwks and jwksUri'],
    [{ issuer, jwks: keys({ kty: 'RSA' }), jwksUri: 'https://a.example' }, 'needs exactly one of jwks and jwksUri'],
    [{ issuer, jwks: '{' }, 'is no JSON'],
    [{ issuer, jwks: keys() }, 'at least one key'],
    [{ issuer, jwks: keys({ kty: 'oct', k: 'a' }) }, 'is symmetric'],
    [{ issuer, jwks: keys({ kty: 'EC', d: 'a' }) }, 'is a private one'],
    [{ issuer, jwksUri: 'file:///etc/passwd' }, 'must be http:// or https://'],
    [{ issuer, jwksUri: 'https://user@a.example/keys' }, 'must be http:// or https://'],
    [{ issuer, jwksUri: 'https://a.example', fromHeaders: [{ name: 'a b' }] }, 'is no name of a header'],
    [{ issuer, jwksUri: 'https://a.example', outputClaimToHeaders: [{ header: 'x', claim: '' }] }, 'must not be empty'],
  ])('is refused: %j', (rule, problem) => {
    expect(problems(rule)).toContain(problem);
  });
});
