/** Who calls, by the identity of its certificate: principals, namespaces, accounts. Pure. */
import type { JsonObject } from '@bufbuild/protobuf';
import { type Doubt, ISTIO_DOMAIN, literal, type RuleContext, regex, textMatch } from './rule-context.ts';

/** `DOMAIN/ns/NAMESPACE/sa/ACCOUNT`, with Istio's star before or behind it. Where a star opens the domain itself, any is meant. */
export function principalTest(value: string, doubt: Doubt, { domains }: RuleContext): JsonObject {
  const text = value.replace(/^spiffe:\/\//, '');
  if (text.startsWith('*')) return named(textMatch(text));
  const slash = text.indexOf('/');
  // A name that is not ended by a slash would mean other domains as well: `a.test*` is `a.test.evil.com` too (RELIABILITY.md 0.3).
  if (slash < 0) return doubt === 'matches' ? named(textMatch(`spiffe://${text}`)) : NOBODY;
  const [domain, rest] = [text.slice(0, slash), text.slice(slash)];
  if (domain === ISTIO_DOMAIN && doubt === 'matches') return named(regex(`spiffe://[^/]+${starred(rest, '.*')}`));
  const own = domains.aliases.has(domain) ? domains.own : domain;
  return named(textMatch(`spiffe://${own}${rest}`));
}

/** A namespace, of the trust domains that the rule means. */
export function namespaceTest(value: string, doubt: Doubt, context: RuleContext): JsonObject {
  return inDomains(`/ns/${starred(value, '[^/]*')}/sa/.+`, doubt, context);
}

/** `NAMESPACE/ACCOUNT`, or an account of the policy's own namespace. */
export function accountTest(value: string, doubt: Doubt, context: RuleContext): JsonObject {
  const [first = '', second] = value.split('/');
  const [namespace, account] = second === undefined ? [context.namespace, first] : [first, second];
  return inDomains(`/ns/${literal(namespace)}/sa/${literal(account)}`, doubt, context);
}

/** What no caller is. */
export const NOBODY: JsonObject = { not_id: { any: true } };

function inDomains(path: string, doubt: Doubt, { domains, others }: RuleContext): JsonObject {
  if (doubt === 'matches' || others === undefined) return named(regex(`spiffe://[^/]+${path}`));
  const names = [...new Set([domains.own, ...others])].map(literal);
  return named(regex(`spiffe://(?:${names.join('|')})${path}`));
}

function starred(text: string, star: string): string {
  return text.split('*').map(literal).join(star);
}

function named(match: JsonObject): JsonObject {
  return { authenticated: { principal_name: match } };
}
