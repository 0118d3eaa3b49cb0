/** RequestAuthentication: tokens are verified where requests come in; what they say is left for the rules of AuthorizationPolicies. Pure. */
import type { JsonObject } from '@bufbuild/protobuf';
import { parseDuration } from '@hawser/model/duration.ts';
import type { RequestAuthenticationJwtRules, RequestAuthenticationSpec } from '@hawser/model/istio/specs.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { type ExtensionPolicies, levelFor, type Policy, type Workload } from '../telemetry/extension-policies.ts';
import { meshUpstream, outsideUpstream, type ProviderWorld } from '../telemetry/provider-upstreams.ts';
import { type extension, structured } from '../wire-values.ts';
import { keysAt } from './jwks.ts';
import { JWT_FILTER, PAYLOAD } from './token-tests.ts';

/** One issuer whose tokens are believed. */
interface Issuer {
  /** `NAMESPACE/NAME[RULE]`. */
  readonly name: string;
  readonly namespace: string;
  readonly rule: RequestAuthenticationJwtRules;
}

/** The issuers of a workload; all policies that are for it hold together, as in Istio. */
export function issuersFor(workload: Workload, { authentication }: ExtensionPolicies): readonly Issuer[] {
  const held = authentication.filter((policy) => levelFor(workload, policy) !== undefined);
  return held.flatMap(({ namespace, name, spec }: Policy<RequestAuthenticationSpec>) =>
    (spec.jwtRules ?? []).map((rule, index) => ({ name: `${namespace}/${name}[${index}]`, namespace, rule })),
  );
}

/**
 * The filter that verifies tokens; none where nobody issues any. A request without a token passes; one whose token no issuer gave, or
 * whose issuer's keys cannot be had, is answered 401 (CVE-2026-31837: there are no keys to fall back to).
 */
export function tokenFilters(issuers: readonly Issuer[]): ReturnType<typeof extension>[] {
  if (issuers.length === 0) return [];
  const requirements = [...issuers.map(({ name }) => ({ provider_name: name })), { allow_missing: {} }];
  const config = {
    providers: Object.fromEntries(issuers.map((issuer) => [issuer.name, provider(issuer)])),
    rules: [{ match: { prefix: '/' }, requires: { requires_any: { requirements } } }],
    bypass_cors_preflight: true,
  };
  return [structured(JWT_FILTER, 'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication', config)];
}

/** The ways to the servers of keys. */
export function keyUpstreams(issuers: readonly Issuer[], world: ProviderWorld): XdsResource[] {
  return issuers.flatMap(({ name, namespace, rule }) => {
    const at = keysAt(rule, namespace);
    if (at === undefined) return [];
    const ofMesh = at.key === undefined ? undefined : meshUpstream(clusterName(name), { service: at.key, port: at.port }, world);
    return ofMesh ?? [outsideUpstream(clusterName(name), at, { isGrpc: false, isTls: at.isTls, isVerified: true })];
  });
}

/** Claims that are lists with spaces between (RFC 8693 section 4.2; Istio takes both for such). */
const SPACED = ['scope', 'permission'];

function provider({ name, namespace, rule }: Issuer): JsonObject {
  const { audiences = [], fromHeaders = [], fromParams = [], fromCookies = [], outputClaimToHeaders = [] } = rule;
  const headers = fromHeaders.map(({ name: header, prefix }) => ({
    name: header,
    ...(prefix === undefined ? {} : { value_prefix: prefix }),
  }));
  const claims = outputClaimToHeaders.map(({ claim, header }) => ({ claim_name: claim, header_name: header }));
  return {
    issuer: rule.issuer ?? '',
    ...(audiences.length > 0 ? { audiences: [...audiences] } : {}),
    ...keysOf({ name, namespace, rule }),
    forward: rule.forwardOriginalToken ?? false,
    payload_in_metadata: PAYLOAD,
    normalize_payload_in_metadata: { space_delimited_claims: [...new Set([...SPACED, ...(rule.spaceDelimitedClaims ?? [])])] },
    ...(headers.length > 0 ? { from_headers: headers } : {}),
    ...(fromParams.length > 0 ? { from_params: [...fromParams] } : {}),
    ...(fromCookies.length > 0 ? { from_cookies: [...fromCookies] } : {}),
    ...(rule.outputPayloadToHeader === undefined ? {} : { forward_payload_header: rule.outputPayloadToHeader }),
    ...(claims.length > 0 ? { claim_to_headers: claims } : {}),
  };
}

function keysOf({ name, namespace, rule }: Issuer): JsonObject {
  const at = keysAt(rule, namespace);
  // Without keys that can be read no token is believed.
  if (at === undefined) return { local_jwks: { inline_string: rule.jwks ?? '{"keys":[]}' } };
  const timeout = `${(parseDuration(rule.timeout ?? '') ?? 5_000) / 1_000}s`;
  return {
    remote_jwks: {
      http_uri: { uri: at.uri, cluster: clusterName(name), timeout },
      cache_duration: '300s',
      // Fetched ahead of requests, and once more by a request that finds none.
      async_fetch: { fast_listener: true, failed_refetch_duration: '1s' },
    },
  };
}

function clusterName(name: string): string {
  return `jwks|${name}`;
}
