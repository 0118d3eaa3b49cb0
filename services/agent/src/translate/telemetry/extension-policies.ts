/** The policies about what proxies log, trace, count and run beside routing; kept apart, for they change seldom. Pure. */
import type { ExtensionProviderSpec } from '@hawser/model/extension-provider.ts';
import type {
  AuthorizationPolicySpec,
  PeerAuthenticationSpec,
  RequestAuthenticationSpec,
  TelemetrySpec,
  WasmPluginSpec,
} from '@hawser/model/istio/specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { hostKey, serviceKey } from '@hawser/model/service-host.ts';
import type { ProxyRef } from '../../state/world.ts';
import { keysAt } from '../access/jwks.ts';
import type { ServedPort } from '../listeners/inbound.ts';
import { compareText, policyKeyOf } from '../policy-tables.ts';
import { ROOT_NAMESPACE, selects } from '../scope/scope.ts';

/** A policy of a kind. */
export interface Policy<Spec> {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly spec: Spec;
}

/** Everything in force, the oldest first. */
export interface ExtensionPolicies {
  readonly sources: readonly Resource[];
  readonly telemetry: readonly Policy<TelemetrySpec>[];
  readonly authorization: readonly Policy<AuthorizationPolicySpec>[];
  readonly authentication: readonly Policy<RequestAuthenticationSpec>[];
  readonly peers: readonly Policy<PeerAuthenticationSpec>[];
  readonly plugins: readonly Policy<WasmPluginSpec>[];
  readonly providers: readonly Policy<ExtensionProviderSpec>[];
}

/** The workload beside a proxy, as selectors see it. */
export interface Workload {
  readonly name: string;
  readonly namespace: string;
  readonly cluster: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `NAMESPACE/SERVICE` of the services that it serves. */
  readonly services: ReadonlySet<string>;
}

/** Kinds that are picked out. */
export const EXTENSION_KINDS: ReadonlySet<string> = new Set([
  'Telemetry',
  'AuthorizationPolicy',
  'RequestAuthentication',
  'PeerAuthentication',
  'WasmPlugin',
  'ExtensionProvider',
]);

/** Picks them out; `before` itself when none of them differs. */
export function extensionPolicies(policies: ReadonlyMap<string, Resource>, before?: ExtensionPolicies): ExtensionPolicies {
  const sources = [...policies.values()].filter(({ kind }) => EXTENSION_KINDS.has(kind)).sort(byAge);
  if (before !== undefined && sources.length === before.sources.length && sources.every((one, index) => one === before.sources[index]))
    return before;
  return {
    sources,
    telemetry: ofKind<TelemetrySpec>(sources, 'Telemetry'),
    authorization: ofKind<AuthorizationPolicySpec>(sources, 'AuthorizationPolicy'),
    authentication: ofKind<RequestAuthenticationSpec>(sources, 'RequestAuthentication'),
    peers: ofKind<PeerAuthenticationSpec>(sources, 'PeerAuthentication'),
    plugins: ofKind<WasmPluginSpec>(sources, 'WasmPlugin'),
    providers: ofKind<ExtensionProviderSpec>(sources, 'ExtensionProvider'),
  };
}

/** No policy at all: the same object each time, because what is made of policies is known by it. */
export const NO_EXTENSIONS = extensionPolicies(new Map());

interface Targeted {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> | undefined } | undefined;
  readonly targetRef?: { readonly name: string } | undefined;
  readonly targetRefs?: readonly { readonly name: string }[] | undefined;
}

/** How near a policy is to a workload: 0 for the mesh, 1 for its namespace, 2 for itself; undefined when it is for others. */
export function levelFor(workload: Workload, { namespace, spec }: Policy<Targeted>): 0 | 1 | 2 | undefined {
  if (namespace !== ROOT_NAMESPACE && namespace !== workload.namespace) return undefined;
  const targets = [...(spec.targetRef === undefined ? [] : [spec.targetRef]), ...(spec.targetRefs ?? [])];
  if (targets.length > 0) return targets.some(({ name }) => workload.services.has(`${namespace}/${name}`)) ? 2 : undefined;
  const labels = spec.selector?.matchLabels ?? {};
  if (Object.keys(labels).length > 0) return selects(labels, workload.labels) ? 2 : undefined;
  return namespace === ROOT_NAMESPACE ? 0 : 1;
}

/** The provider of a name, as a policy of a namespace means it: its own before that of the root namespace. */
export function providerNamed(policies: ExtensionPolicies, name: string, namespace: string): Policy<ExtensionProviderSpec> | undefined {
  const of = (owner: string) => policies.providers.find((provider) => provider.name === name && provider.namespace === owner);
  return of(namespace) ?? of(ROOT_NAMESPACE);
}

function ofKind<Spec>(sources: readonly Resource[], kind: string): Policy<Spec>[] {
  return sources
    .filter((resource) => resource.kind === kind)
    .map((resource) => ({
      key: policyKeyOf(resource),
      namespace: resource.metadata.namespace ?? '',
      name: resource.metadata.name,
      spec: (resource.spec ?? {}) as Spec,
    }));
}

function byAge(a: Resource, b: Resource): number {
  return compareText(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') || compareText(policyKeyOf(a), policyKeyOf(b));
}

/** Keys of the services that providers name, and of those that have the keys of tokens. */
export function providerServices({ providers, authentication }: ExtensionPolicies): ReadonlySet<string> {
  const issuers = authentication.flatMap(({ namespace, spec }) =>
    (spec.jwtRules ?? []).flatMap((rule) => keysAt(rule, namespace)?.key ?? []),
  );
  return new Set([...providers.flatMap((provider) => providerService(provider) ?? []), ...issuers]);
}

/** The service of a provider and its port; undefined for one that has none. */
export function providerAddress(spec: ExtensionProviderSpec): { readonly service: string; readonly port: number } | undefined {
  return spec.opentelemetry ?? spec.zipkin ?? spec.envoyExtAuthzHttp ?? spec.envoyExtAuthzGrpc;
}

/** Key of the service of a provider; undefined for one that has no service. */
export function providerService({ namespace, spec }: Policy<ExtensionProviderSpec>): string | undefined {
  const host = providerAddress(spec)?.service;
  return host === undefined ? undefined : hostKey(host, namespace);
}

/** What the registry knows of a proxy's address. */
export interface KnownWorkload {
  readonly served: readonly ServedPort[];
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly cluster: string;
}

/** The workload of a proxy: as the registry knows it, and where it does not, as the proxy says. */
export function workloadOf(proxy: ProxyRef, { served, labels, cluster }: KnownWorkload): Workload {
  const { name = proxy.address, namespace = served[0]?.name.namespace ?? '' } = proxy;
  const services = new Set(served.map((port) => serviceKey(port.name)));
  return { name, namespace, cluster, labels: labels ?? proxy.labels ?? {}, services };
}
