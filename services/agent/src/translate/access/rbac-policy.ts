/** Rules of an AuthorizationPolicy as principals and permissions of Envoy's RBAC, in JSON. Pure. */
import type { JsonObject } from '@bufbuild/protobuf';
import type {
  AuthorizationPolicyOperation,
  AuthorizationPolicyRules,
  AuthorizationPolicySource,
  AuthorizationPolicyWhen,
} from '@hawser/model/istio/specs.ts';
import { accountTest, namespaceTest, principalTest } from './caller-tests.ts';
import { headerTest, hostTest, methodTest, pathTest, portTest } from './request-tests.ts';
import { cidr, type Doubt, fieldTests, PERMISSIONS, PRINCIPALS, type RuleContext, textMatch, type Words } from './rule-context.ts';
import { claimPath, claimTest, requestPrincipalTest } from './token-tests.ts';

/** The tests of one part of a rule, and whether some of it can only be asked of HTTP. */
interface Tests {
  readonly tests: readonly JsonObject[];
  readonly isLimited: boolean;
}

/**
 * One rule: any of its sources, any of its operations, and all of its conditions. Of connections that are no HTTP nothing is known of
 * requests: a rule that lets in never matches there, any other loses those fields (Istio, "authorization on plain TCP protocols").
 * Undefined: it matches nothing.
 */
export function rbacPolicy({ from = [], to = [], when = [] }: AuthorizationPolicyRules, context: RuleContext): JsonObject | undefined {
  const sources = from.map(({ source = {} }) => sourceTests(source, context));
  const operations = to.map(({ operation = {} }) => operationTests(operation, context));
  const conditions = when.map((condition) => conditionTests(condition, context));
  const all = [...sources, ...operations, ...conditions.map(({ tests }) => tests)];
  if (context.grants && context.protocol === 'tcp' && all.some(({ isLimited }) => isLimited)) return undefined;
  const of = (words: Words) => conditions.filter((one) => one.words === words).flatMap(({ tests }) => tests.tests);
  const anyOf = (words: Words, parts: readonly Tests[]): JsonObject[] =>
    parts.length === 0 ? [] : [words.any(parts.map(({ tests }) => words.all(tests)))];
  return {
    permissions: [PERMISSIONS.all([...anyOf(PERMISSIONS, operations), ...of(PERMISSIONS)])],
    principals: [PRINCIPALS.all([...anyOf(PRINCIPALS, sources), ...of(PRINCIPALS)])],
  };
}

type Values = readonly string[] | undefined;

/** A field, its `not` form, and how a value of it is tested; undefined: only of HTTP. */
type Field = readonly [Values, Values, ((value: string, doubt: Doubt) => JsonObject) | undefined];

function testsOf(words: Words, context: RuleContext, fields: readonly Field[]): Tests {
  const given = fields.filter(([wanted = [], excluded = []]) => wanted.length + excluded.length > 0);
  return {
    isLimited: given.some(([, , test]) => test === undefined),
    tests: given.flatMap(([wanted, excluded, test]) =>
      test === undefined ? [] : fieldTests({ words, context }, [wanted, excluded], test),
    ),
  };
}

function sourceTests(source: AuthorizationPolicySource, context: RuleContext): Tests {
  const ofHttp = <Test>(test: Test): Test | undefined => (context.protocol === 'http' ? test : undefined);
  return testsOf(PRINCIPALS, context, [
    [source.principals, source.notPrincipals, (value, doubt) => principalTest(value, doubt, context)],
    [source.requestPrincipals, source.notRequestPrincipals, ofHttp(requestPrincipalTest)],
    [source.namespaces, source.notNamespaces, (value, doubt) => namespaceTest(value, doubt, context)],
    [source.serviceAccounts, source.notServiceAccounts, (value, doubt) => accountTest(value, doubt, context)],
    [source.ipBlocks, source.notIpBlocks, byConnection],
    [source.remoteIpBlocks, source.notRemoteIpBlocks, byClient],
  ]);
}

function operationTests(operation: AuthorizationPolicyOperation, context: RuleContext): Tests {
  const ofHttp = <Test>(test: Test): Test | undefined => (context.protocol === 'http' ? test : undefined);
  return testsOf(PERMISSIONS, context, [
    [operation.hosts, operation.notHosts, ofHttp(hostTest)],
    [operation.methods, operation.notMethods, ofHttp(methodTest)],
    [operation.paths, operation.notPaths, ofHttp(pathTest)],
    [operation.ports, operation.notPorts, (value) => portTest(value, context)],
  ]);
}

type Condition = readonly [Words, Field[2]];

function conditionTests(when: AuthorizationPolicyWhen, context: RuleContext): { readonly words: Words; readonly tests: Tests } {
  const [words, test] = conditionOf(when.key, context);
  return { words, tests: testsOf(words, context, [[when.values, when.notValues, test]]) };
}

function conditionOf(key: string, context: RuleContext): Condition {
  if (key.startsWith('request.')) return [requestWords(key), context.protocol === 'http' ? requestTest(key) : undefined];
  const known: Readonly<Record<string, Condition>> = {
    'source.ip': [PRINCIPALS, byConnection],
    'remote.ip': [PRINCIPALS, byClient],
    'source.namespace': [PRINCIPALS, (value, doubt) => namespaceTest(value, doubt, context)],
    'source.principal': [PRINCIPALS, (value, doubt) => principalTest(value, doubt, context)],
    'source.serviceAccount': [PRINCIPALS, (value, doubt) => accountTest(value, doubt, context)],
    'destination.ip': [PERMISSIONS, (value) => ({ destination_ip: cidr(value) })],
    'destination.port': [PERMISSIONS, (value) => portTest(value, context)],
    'connection.sni': [PERMISSIONS, (value) => ({ requested_server_name: textMatch(value) })],
  };
  // The hub refuses other keys; a rule that came by another way shall not let anybody in by what is not understood.
  return known[key] ?? [PERMISSIONS, (_value, doubt) => (doubt === 'matches' ? { any: true } : PERMISSIONS.not({ any: true }))];
}

/** Headers are a part of what is asked for, tokens of who asks. */
function requestWords(key: string): Words {
  return key.startsWith('request.headers') ? PERMISSIONS : PRINCIPALS;
}

function requestTest(key: string): NonNullable<Field[2]> {
  const name = /^request\.headers\[([^\]]+)\]$/.exec(key)?.[1];
  if (name !== undefined) return (value, doubt) => headerTest(name, value, doubt);
  if (key === 'request.auth.principal') return requestPrincipalTest;
  const path = key === 'request.auth.audiences' ? ['aud'] : key === 'request.auth.presenter' ? ['azp'] : claimPath(key);
  return (value) => claimTest(path, value);
}

function byConnection(block: string): JsonObject {
  return { direct_remote_ip: cidr(block) };
}

function byClient(block: string): JsonObject {
  return { remote_ip: cidr(block) };
}
