/** What an AuthorizationPolicy must be beyond its shape. Pure. */
import { isAddressRange } from '../../address-range.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type {
  AuthorizationPolicyOperation,
  AuthorizationPolicyRules,
  AuthorizationPolicySource,
  AuthorizationPolicySpec,
  AuthorizationPolicyWhen,
} from '../specs.ts';
import { invalid, type Steps } from './checks.ts';
import { targetProblems } from './targets.ts';

/** Every problem of an AuthorizationPolicy; paths are below the spec. */
export function authorizationPolicyProblems(spec: AuthorizationPolicySpec, namespace: string): readonly SchemaProblem[] {
  const { action = 'ALLOW', provider, rules = [] } = spec;
  const problems = [...targetProblems(spec, namespace)];
  if (action === 'CUSTOM' && (provider?.name ?? '') === '')
    problems.push({ steps: ['provider', 'name'], code: 'FieldValueRequired', message: 'is required: the ExtensionProvider that decides' });
  if (action !== 'CUSTOM' && provider !== undefined)
    problems.push(invalid(['provider'], `is for the action CUSTOM, and this is ${action}: take it out`));
  return [...problems, ...rules.flatMap((rule, index) => ruleProblems(['rules', index], rule))];
}

function ruleProblems(steps: Steps, { from = [], to = [], when = [] }: AuthorizationPolicyRules): readonly SchemaProblem[] {
  return [
    ...from.flatMap(({ source }, index) => sourceProblems([...steps, 'from', index, 'source'], source)),
    ...to.flatMap(({ operation }, index) => operationProblems([...steps, 'to', index, 'operation'], operation)),
    ...when.flatMap((condition, index) => conditionProblems([...steps, 'when', index], condition)),
  ];
}

type Values = readonly string[] | undefined;

/** What is wrong with a value; undefined: nothing. */
type Judge = (value: string) => string | undefined;

function sourceProblems(steps: Steps, source: AuthorizationPolicySource = {}): readonly SchemaProblem[] {
  const { principals, namespaces, serviceAccounts, notServiceAccounts } = source;
  const problems = emptyProblems(steps, source);
  if ((serviceAccounts ?? notServiceAccounts ?? []).length > 0 && (principals ?? namespaces ?? []).length > 0)
    problems.push(invalid([...steps, 'serviceAccounts'], 'cannot be beside principals or namespaces: an account has its namespace'));
  const lists: [string, Values, Judge][] = [
    ['principals', source.principals, principalProblem],
    ['notPrincipals', source.notPrincipals, principalProblem],
    ['requestPrincipals', source.requestPrincipals, starProblem],
    ['notRequestPrincipals', source.notRequestPrincipals, starProblem],
    ['namespaces', source.namespaces, starProblem],
    ['notNamespaces', source.notNamespaces, starProblem],
    ['serviceAccounts', serviceAccounts, accountProblem],
    ['notServiceAccounts', notServiceAccounts, accountProblem],
    ...(['ipBlocks', 'notIpBlocks', 'remoteIpBlocks', 'notRemoteIpBlocks'] as const).map((name): [string, Values, Judge] => [
      name,
      source[name],
      rangeProblem,
    ]),
  ];
  return [...problems, ...listProblems(steps, lists)];
}

function operationProblems(steps: Steps, operation: AuthorizationPolicyOperation = {}): readonly SchemaProblem[] {
  return [
    ...emptyProblems(steps, operation),
    ...listProblems(steps, [
      ['hosts', operation.hosts, starProblem],
      ['notHosts', operation.notHosts, starProblem],
      ['methods', operation.methods, starProblem],
      ['notMethods', operation.notMethods, starProblem],
      ['paths', operation.paths, pathProblem],
      ['notPaths', operation.notPaths, pathProblem],
      ['ports', operation.ports, portProblem],
      ['notPorts', operation.notPorts, portProblem],
    ]),
  ];
}

/** Istio: a source or an operation without any field is refused; it would mean everybody and everything. */
function emptyProblems(steps: Steps, fields: object): SchemaProblem[] {
  const isEmpty = Object.values(fields).every((list: unknown) => !Array.isArray(list) || list.length === 0);
  return isEmpty ? [invalid(steps, 'says nothing: leave it out where anything is meant')] : [];
}

const KEYS: Readonly<Record<string, Judge>> = {
  'source.ip': rangeProblem,
  'remote.ip': rangeProblem,
  'source.namespace': starProblem,
  'source.principal': principalProblem,
  'source.serviceAccount': accountProblem,
  'request.auth.principal': starProblem,
  'request.auth.audiences': starProblem,
  'request.auth.presenter': starProblem,
  'destination.ip': rangeProblem,
  'destination.port': portProblem,
  'connection.sni': starProblem,
};

function conditionProblems(steps: Steps, { key, values, notValues }: AuthorizationPolicyWhen): readonly SchemaProblem[] {
  const judge = judgeOf(key);
  if (judge === undefined) return [invalid([...steps, 'key'], `is ${key}: ${reasonAgainst(key)}`)];
  if ((values ?? []).length + (notValues ?? []).length === 0) return [invalid(steps, `needs values or notValues for ${key}`)];
  return listProblems(steps, [
    ['values', values, judge],
    ['notValues', notValues, judge],
  ]);
}

function judgeOf(key: string): Judge | undefined {
  if (/^request\.headers\[[^\][\s]+\]$/.test(key)) return headerProblem;
  if (/^request\.auth\.claims(\[[^\][]+\])+$/.test(key)) return starProblem;
  return Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
}

function reasonAgainst(key: string): string {
  if (key.startsWith('experimental.')) return "it would hand a rule over to metadata of Envoy's filters, which Hawser does not give out";
  const known = [...Object.keys(KEYS), 'request.headers[NAME]', 'request.auth.claims[NAME]'];
  return `known are ${known.join(', ')}`;
}

function listProblems(steps: Steps, lists: readonly (readonly [string, Values, Judge])[]): SchemaProblem[] {
  return lists.flatMap(([name, values = [], judge]) =>
    values.flatMap((value, index) => {
      const message = judge(value);
      return message === undefined ? [] : [invalid([...steps, name, index], `is ${JSON.stringify(value)}: ${message}`)];
    }),
  );
}

/** Istio's text match. */
function starProblem(value: string): string | undefined {
  if (value === '') return 'must not be empty';
  const stars = value.split('*').length - 1;
  if (stars === 0 || value === '*' || (stars === 1 && (value.startsWith('*') || value.endsWith('*')))) return undefined;
  return 'a star can stand alone, at the beginning or at the end, once';
}

/** Every letter of a value is a step into the expression that says what else must not be there, and RE2 goes a thousand deep. */
function headerProblem(value: string): string | undefined {
  return value.length > 256 ? 'at most 256 characters of a header are compared' : starProblem(value);
}

function principalProblem(value: string): string | undefined {
  const text = value.replace(/^spiffe:\/\//, '');
  const problem = starProblem(text);
  if (problem !== undefined || text.startsWith('*')) return problem;
  if (!text.includes('/'))
    return text.endsWith('*')
      ? `a trust domain must be ended by a slash, for ${text} is ${text.slice(0, -1)}.evil.com too: write TRUST-DOMAIN/* or TRUST-DOMAIN/ns/NAMESPACE/*`
      : 'a principal is TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT';
  return undefined;
}

function accountProblem(value: string): string | undefined {
  return /^([a-z0-9]([-a-z0-9]*[a-z0-9])?\/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(value)
    ? undefined
    : 'must be NAMESPACE/ACCOUNT, or an account of the own namespace; stars are not for accounts';
}

function rangeProblem(value: string): string | undefined {
  return isAddressRange(value) ? undefined : 'must be an IP address or ADDRESS/BITS';
}

function portProblem(value: string): string | undefined {
  return /^[0-9]{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= 65_535 ? undefined : 'must be a port, from 1 to 65535';
}

/** Istio: templates have `{*}` for a segment and one `{**}` for any number of them, at the end but for text without templates. */
function pathProblem(value: string): string | undefined {
  if (!/[{}]/.test(value)) return starProblem(value);
  const segments = value.split('/');
  if (!value.startsWith('/')) return 'a template begins with a slash';
  const rest = value.replaceAll('{**}', '').replaceAll('{*}', '');
  if (/[{}*]/.test(rest)) return 'a template knows {*} and {**}, and no star beside them';
  if (segments.some((segment) => /\{\*\*?\}/.test(segment) && !/^\{\*\*?\}$/.test(segment))) return '{*} and {**} are whole segments';
  const after = value.split('{**}').slice(1).join('{**}');
  return /\{\*\*?\}/.test(after) ? 'nothing of a template can follow {**} but text' : undefined;
}
