/** Rules of an AuthorizationPolicy as principals and permissions of Envoy's RBAC, in JSON. Pure. */
import type { JsonObject } from '@bufbuild/protobuf';
import type {
  AuthorizationPolicyOperation,
  AuthorizationPolicyRules,
  AuthorizationPolicySource,
  AuthorizationPolicyWhen,
} from '@hawser/model/istio/specs.ts';

type Values = readonly string[] | undefined;
type Test = (value: string) => JsonObject;

/** One rule: any of its sources, any of its operations, and all of its conditions. */
export function rbacPolicy({ from = [], to = [], when = [] }: AuthorizationPolicyRules): JsonObject {
  const sources = from.map(({ source = {} }) => all('and_ids', 'ids', 'any', sourceTests(source)));
  const operations = to.map(({ operation = {} }) => all('and_rules', 'rules', 'any', operationTests(operation)));
  const conditions = when.flatMap(conditionTests);
  const who = sources.length === 0 ? { any: true } : { or_ids: { ids: sources } };
  return {
    permissions: operations.length === 0 ? [{ any: true }] : operations,
    principals: [conditions.length === 0 ? who : { and_ids: { ids: [who, ...conditions] } }],
  };
}

function all(group: string, list: string, otherwise: string, tests: readonly JsonObject[]): JsonObject {
  return tests.length === 0 ? { [otherwise]: true } : { [group]: { [list]: [...tests] } };
}

function sourceTests(source: AuthorizationPolicySource): JsonObject[] {
  return [
    ...ids(source.principals, source.notPrincipals, byPrincipal),
    ...ids(source.namespaces, source.notNamespaces, byNamespace),
    ...ids(source.serviceAccounts, source.notServiceAccounts, byAccount),
    ...ids(source.ipBlocks, source.notIpBlocks, (block) => ({ direct_remote_ip: cidr(block) })),
    ...ids(source.remoteIpBlocks, source.notRemoteIpBlocks, (block) => ({ remote_ip: cidr(block) })),
  ];
}

function operationTests(operation: AuthorizationPolicyOperation): JsonObject[] {
  const header =
    (name: string): Test =>
    (value) => ({ header: { name, string_match: { ...textMatch(value), ignore_case: name === ':authority' } } });
  return [
    ...rules(operation.hosts, operation.notHosts, header(':authority')),
    ...rules(operation.methods, operation.notMethods, header(':method')),
    ...rules(operation.paths, operation.notPaths, (value) => ({ url_path: { path: textMatch(value) } })),
  ];
}

function conditionTests({ key, values, notValues }: AuthorizationPolicyWhen): JsonObject[] {
  const name = /^request\.headers\[([^\]]+)\]$/.exec(key)?.[1];
  if (name !== undefined)
    return ids(values, notValues, (value) => ({ header: { name: name.toLowerCase(), string_match: textMatch(value) } }));
  if (key === 'source.ip') return ids(values, notValues, (block) => ({ direct_remote_ip: cidr(block) }));
  return ids(values, notValues, key === 'source.namespace' ? byNamespace : byPrincipal);
}

function ids(some: Values, none: Values, test: Test): JsonObject[] {
  return [
    ...(some === undefined || some.length === 0 ? [] : [{ or_ids: { ids: some.map(test) } }]),
    ...(none === undefined || none.length === 0 ? [] : [{ not_id: { or_ids: { ids: none.map(test) } } }]),
  ];
}

function rules(some: Values, none: Values, test: Test): JsonObject[] {
  return [
    ...(some === undefined || some.length === 0 ? [] : [{ or_rules: { rules: some.map(test) } }]),
    ...(none === undefined || none.length === 0 ? [] : [{ not_rule: { or_rules: { rules: none.map(test) } } }]),
  ];
}

/** Istio names principals without their scheme. */
function byPrincipal(value: string): JsonObject {
  const name = value.startsWith('*') || value.startsWith('spiffe://') ? value : `spiffe://${value}`;
  return { authenticated: { principal_name: textMatch(name) } };
}

function byNamespace(value: string): JsonObject {
  const regex = `spiffe://[^/]+/ns/${pattern(value)}/sa/.+`;
  return { authenticated: { principal_name: { safe_regex: { regex } } } };
}

/** `NAMESPACE/ACCOUNT`. */
function byAccount(value: string): JsonObject {
  const [namespace = '', account = ''] = value.split('/');
  const regex = `spiffe://[^/]+/ns/${pattern(namespace)}/sa/${pattern(account)}`;
  return { authenticated: { principal_name: { safe_regex: { regex } } } };
}

function pattern(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*');
}

/** A star alone, before or behind the text. */
function textMatch(value: string): JsonObject {
  if (value === '*') return { safe_regex: { regex: '.+' } };
  if (value.startsWith('*')) return { suffix: value.slice(1) };
  return value.endsWith('*') ? { prefix: value.slice(0, -1) } : { exact: value };
}

function cidr(block: string): JsonObject {
  const [address = '', length] = block.split('/');
  return { address_prefix: address, prefix_len: Number(length ?? (address.includes(':') ? 128 : 32)) };
}
