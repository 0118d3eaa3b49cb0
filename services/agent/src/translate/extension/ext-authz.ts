/** AuthorizationPolicy with action CUSTOM: a service of the operator's decides about the requests that its rules mean. */
import type { JsonObject } from '@bufbuild/protobuf';
import { parseDuration } from '@hawser/model/duration.ts';
import type { ExtAuthzGrpcProvider, ExtAuthzHttpProvider, ExtensionProviderSpec } from '@hawser/model/extension-provider.ts';
import { rbacPolicy } from '../access/rbac-policy.ts';
import { ruleContext, type TrustDomains } from '../access/rule-context.ts';
import { type ExtensionPolicies, levelFor, type Policy, providerNamed, type Workload } from '../telemetry/extension-policies.ts';
import { providerClusterName } from '../telemetry/provider-upstreams.ts';
import { type extension, structured } from '../wire-values.ts';

/** Who decides, and about what. */
export interface Decision {
  /** Undefined when no provider of that name is there: then nobody can allow anything. */
  readonly provider: Policy<ExtensionProviderSpec> | undefined;
  /** RBAC policies by name. */
  readonly rules: JsonObject;
}

const RULE = 'hawser-ext-authz';
const PREFIX = 'hawser_ext_authz_';

/** What is decided about requests to a workload; policies of one provider are one decision, as in Istio. */
export function decisionsFor(
  workload: Workload,
  policies: ExtensionPolicies,
  at: { readonly domains: TrustDomains; readonly port: number | undefined },
): readonly Decision[] {
  const held = policies.authorization.filter((policy) => policy.spec.action === 'CUSTOM' && levelFor(workload, policy) !== undefined);
  const byProvider = Map.groupBy(held, ({ namespace, spec }) => {
    const name = spec.provider?.name ?? '';
    return providerNamed(policies, name, namespace)?.key ?? '';
  });
  return [...byProvider].map(([key, group]) => {
    const provider = policies.providers.find((one) => one.key === key && isDecider(one.spec));
    const rules = group.flatMap((policy) => {
      const context = ruleContext(policy, { ...at, protocol: 'http' });
      return (policy.spec.rules ?? []).flatMap((rule, index) => {
        const rbac = rbacPolicy(rule, context);
        return rbac === undefined ? [] : [[`${RULE}-${policy.namespace}/${policy.name}-${index}`, rbac] as const];
      });
    });
    return { provider, rules: Object.fromEntries(rules) };
  });
}

/** The filters of a decision: one finds out whether a request is meant, without effect; the other asks. */
export function decisionFilters({ provider, rules }: Decision, index: number): ReturnType<typeof extension>[] {
  if (Object.keys(rules).length === 0) return [];
  const prefix = `${PREFIX}${index}_`;
  if (provider === undefined) return [structured('envoy.filters.http.rbac', RBAC, { rules: { action: 'DENY', policies: rules } })];
  const enabled = {
    filter: 'envoy.filters.http.rbac',
    path: [{ key: `${prefix}shadow_effective_policy_id` }],
    value: { string_match: { prefix: RULE } },
  };
  return [
    structured('envoy.filters.http.rbac', RBAC, { shadow_rules: { action: 'DENY', policies: rules }, shadow_rules_stat_prefix: prefix }),
    structured('envoy.filters.http.ext_authz', 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz', {
      ...authzConfig(provider),
      transport_api_version: 'V3',
      filter_enabled_metadata: enabled,
    }),
  ];
}

const RBAC = 'envoy.extensions.filters.http.rbac.v3.RBAC';

function isDecider(spec: ExtensionProviderSpec): boolean {
  return spec.envoyExtAuthzHttp !== undefined || spec.envoyExtAuthzGrpc !== undefined;
}

function authzConfig(provider: Policy<ExtensionProviderSpec>): JsonObject {
  const { envoyExtAuthzHttp: http, envoyExtAuthzGrpc: grpc } = provider.spec;
  const cluster = providerClusterName(provider);
  if (http !== undefined) return { ...common(http), ...byHttp(http, cluster) };
  return {
    ...(grpc === undefined ? {} : common(grpc)),
    grpc_service: { envoy_grpc: { cluster_name: cluster, authority: grpc?.service ?? '' }, timeout: secondsOf(grpc?.timeout) },
  };
}

function common({
  failOpen = false,
  statusOnError,
  includeRequestBodyInCheck: body,
}: ExtAuthzHttpProvider | ExtAuthzGrpcProvider): JsonObject {
  return {
    failure_mode_allow: failOpen,
    ...(statusOnError === undefined ? {} : { status_on_error: { code: Number(statusOnError) } }),
    ...(body === undefined
      ? {}
      : {
          with_request_body: {
            max_request_bytes: body.maxRequestBytes,
            allow_partial_message: body.allowPartialMessage ?? false,
            pack_as_bytes: body.packAsBytes ?? false,
          },
        }),
  };
}

function byHttp(http: ExtAuthzHttpProvider, cluster: string): JsonObject {
  const added = Object.entries(http.includeAdditionalHeadersInCheck ?? {}).map(([key, value]) => ({ key, value }));
  const { includeRequestHeadersInCheck: sent, headersToDownstreamOnDeny: onDeny } = http;
  return {
    ...listed('allowed_headers', sent),
    http_service: {
      server_uri: { uri: `http://${http.service}:${http.port}`, cluster, timeout: secondsOf(http.timeout) },
      ...(http.pathPrefix === undefined ? {} : { path_prefix: http.pathPrefix }),
      authorization_request: { headers_to_add: added },
      authorization_response: {
        ...listed('allowed_upstream_headers', http.headersToUpstreamOnAllow),
        ...listed('allowed_client_headers_on_success', http.headersToDownstreamOnAllow),
        ...listed('allowed_client_headers', onDeny),
      },
    },
  };
}

function listed(field: string, headers: readonly string[] = []): JsonObject {
  return headers.length === 0 ? {} : { [field]: named(headers) };
}

function named(headers: readonly string[]): JsonObject {
  return {
    patterns: headers.map((name) => {
      if (name.startsWith('*')) return { suffix: name.slice(1), ignore_case: true };
      return name.endsWith('*') ? { prefix: name.slice(0, -1), ignore_case: true } : { exact: name, ignore_case: true };
    }),
  };
}

function secondsOf(duration = '10m'): string {
  return `${(parseDuration(duration) ?? 600_000) / 1_000}s`;
}
