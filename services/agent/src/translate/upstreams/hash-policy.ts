/** What of a request decides about its endpoint, where a DestinationRule asks for consistent hashing: it is said on routes. */
import type { RouteAction_HashPolicySchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { durationOrOffMs } from '../routes/rule-values.ts';
import { type Init, millis } from '../wire-values.ts';
import type { LoadBalancer } from './traffic-policy.ts';

export type HashPolicyInit = Init<typeof RouteAction_HashPolicySchema>;

/** The hash policy of HTTP routes to an upstream with this load balancer; undefined when it hashes nothing. */
export function hashPolicyOf(rule: LoadBalancer | undefined): HashPolicyInit | undefined {
  const hash = rule?.simple === 'PASSTHROUGH' ? undefined : rule?.consistentHash;
  if (hash === undefined) return undefined;
  if (hash.httpHeaderName !== undefined) return isToken(hash.httpHeaderName) ? header(hash.httpHeaderName) : undefined;
  if (hash.httpCookie !== undefined) return cookie(hash.httpCookie);
  if (hash.useSourceIp === true) return { policySpecifier: { case: 'connectionProperties', value: { sourceIp: true } } };
  const name = hash.httpQueryParameterName;
  return name === undefined || name === '' ? undefined : { policySpecifier: { case: 'queryParameter', value: { name } } };
}

/** Whether connections of TCP are hashed by the caller's address. */
export function hashesSourceIp(rule: LoadBalancer | undefined): boolean {
  return rule?.simple !== 'PASSTHROUGH' && rule?.consistentHash?.useSourceIp === true;
}

function header(headerName: string): HashPolicyInit {
  return { policySpecifier: { case: 'header', value: { headerName } } };
}

type CookieRule = NonNullable<NonNullable<LoadBalancer['consistentHash']>['httpCookie']>;

/** With a time to live, 0 for as long as the browser is open, Envoy sets the cookie where a request has none. */
function cookie({ name = '', ttl, path, attributes = [] }: CookieRule): HashPolicyInit | undefined {
  if (!isToken(name)) return undefined;
  const life = durationOrOffMs(ttl);
  const extra = attributes.flatMap((attribute) =>
    isToken(attribute.name ?? '') ? [{ name: attribute.name ?? '', value: attribute.value ?? '' }] : [],
  );
  return {
    policySpecifier: {
      case: 'cookie',
      value: { name, ...(life === undefined ? {} : { ttl: millis(life) }), ...(path === undefined ? {} : { path }), attributes: extra },
    },
  };
}

/** RFC 9110 section 5.6.2. */
function isToken(text: string): boolean {
  return /^[!#$%&'*+\-.^_|~0-9A-Za-z`]+$/.test(text);
}
