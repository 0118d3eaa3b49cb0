/** PURE: whether callers of a service are able to turn away from what a loss makes fail, or a policy has switched that off. */
import type { DrillSpec } from '@hawser/model/drill.ts';
import { parseDuration } from '@hawser/model/duration.ts';
import type { DestinationRuleSpec, VirtualServiceSpec } from '@hawser/model/istio/specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { clusterLocalHost, clustersetHost, hostKey, parseServiceKey } from '@hawser/model/service-host.ts';

/** What is missing. */
export interface Unprotected {
  readonly name: 'outlier-detection' | 'retries';
  /** With the policy, its field and the way out. */
  readonly message: string;
}

type Scenario = DrillSpec['scenario'];
type TrafficPolicy = NonNullable<DestinationRuleSpec['trafficPolicy']>;
type Outliers = NonNullable<TrafficPolicy['outlierDetection']>;

/** Everything that would make a loss of these services (`NAMESPACE/NAME`) fail: by default endpoints are ejected and safe requests retried. */
export function unprotected(services: readonly string[], scenario: Scenario, policies: Iterable<Resource>): readonly Unprotected[] {
  const found = [...policies].flatMap((policy): readonly Unprotected[] => {
    const meant = services.filter((service) => isMeant(policy, service));
    if (meant.length === 0) return [];
    return policy.kind === 'DestinationRule' ? withoutEjection(policy, scenario, meant) : withoutRetries(policy, meant);
  });
  return [...ownError(scenario), ...found];
}

/** Statuses by which Hawser's profile ejects an endpoint, and repeats a safe request. */
const GATEWAY_ERRORS: ReadonlySet<number> = new Set([502, 503, 504]);

function ownError({ fault, status = 503 }: Scenario): readonly Unprotected[] {
  if (fault !== 'error' || GATEWAY_ERRORS.has(status)) return [];
  const message = `spec.scenario.status is ${status}, which is taken for an answer of the application: it ejects no endpoint and is not repeated unless policies say so; 503 is`;
  return [{ name: 'outlier-detection', message }];
}

function isMeant({ kind, metadata, spec }: Resource, service: string): boolean {
  const namespace = metadata.namespace ?? '';
  if (kind === 'DestinationRule') return isHostOf((spec as DestinationRuleSpec).host, namespace, service);
  if (kind !== 'VirtualService') return false;
  return routesOf(spec as VirtualServiceSpec).some(({ hosts }) => hosts.some((host) => isHostOf(host, namespace, service)));
}

function isHostOf(host: string | undefined, namespace: string, service: string): boolean {
  if (host === undefined) return false;
  if (hostKey(host, namespace) === service) return true;
  const name = parseServiceKey(service);
  return host.startsWith('*') && [clustersetHost(name), clusterLocalHost(name)].some((full) => full.endsWith(host.slice(1)));
}

function withoutEjection({ metadata, spec }: Resource, scenario: Scenario, meant: readonly string[]): readonly Unprotected[] {
  return blocksOf(spec as DestinationRuleSpec).flatMap(({ field, outliers }) => {
    const off = offBy(outliers, scenario);
    if (off === undefined) return [];
    const where = `DestinationRule ${metadata.namespace}/${metadata.name} ${field}.outlierDetection.${off}`;
    return [
      { name: 'outlier-detection', message: `${where}: nobody is ejected who fails so, and callers of ${meant.join(', ')} keep on asking` },
    ];
  });
}

function blocksOf({ trafficPolicy, subsets = [] }: DestinationRuleSpec): readonly { field: string; outliers: Outliers }[] {
  const policies = [
    { field: 'spec.trafficPolicy', policy: trafficPolicy },
    ...subsets.map(({ trafficPolicy: policy }, index) => ({ field: `spec.subsets[${index}].trafficPolicy`, policy })),
  ];
  return policies.flatMap(({ field, policy }) => [
    ...(policy?.outlierDetection === undefined ? [] : [{ field, outliers: policy.outlierDetection }]),
    ...(policy?.portLevelSettings ?? []).flatMap(({ outlierDetection }, index) =>
      outlierDetection === undefined ? [] : [{ field: `${field}.portLevelSettings[${index}]`, outliers: outlierDetection }],
    ),
  ]);
}

/** Which field keeps the fault of a drill from ejecting anybody. Connections that fail count as answers where they are not split. */
function offBy(outliers: Outliers, { fault = 'refuse' }: Scenario): string | undefined {
  const { consecutiveGatewayErrors: gateway, consecutiveLocalOriginFailures: local, splitExternalLocalOriginErrors: split } = outliers;
  const { consecutive5xxErrors: any = 0 } = outliers;
  if (outliers.maxEjectionPercent === 0) return 'maxEjectionPercent is 0';
  if (fault !== 'error' && split !== false) return local === 0 ? 'consecutiveLocalOriginFailures is 0' : undefined;
  return gateway === 0 && any === 0 ? 'consecutiveGatewayErrors is 0' : undefined;
}

interface Route {
  readonly field: string;
  readonly hosts: readonly (string | undefined)[];
  readonly rule: NonNullable<VirtualServiceSpec['http']>[number];
}

function routesOf({ http = [] }: VirtualServiceSpec): readonly Route[] {
  return http.map((rule, index) => ({
    field: `spec.http[${index}]`,
    rule,
    hosts: (rule.route ?? []).map(({ destination }) => destination?.host),
  }));
}

function withoutRetries({ metadata, spec }: Resource, meant: readonly string[]): readonly Unprotected[] {
  const namespace = metadata.namespace ?? '';
  const routes = routesOf(spec as VirtualServiceSpec).filter(({ hosts }) =>
    hosts.some((host) => meant.some((service) => isHostOf(host, namespace, service))),
  );
  return routes.flatMap(({ field, rule: { retries, timeout } }) => {
    const off =
      retries?.attempts === 0
        ? 'attempts is 0: what fails is not repeated'
        : retries?.retryRemoteLocalities === false
          ? 'retryRemoteLocalities is false: what fails is repeated in the same place'
          : noTimeFor(retries?.perTryTimeout, timeout);
    return off === undefined ? [] : [{ name: 'retries', message: `VirtualService ${namespace}/${metadata.name} ${field}.retries.${off}` }];
  });
}

/** A try that may take as long as the whole request leaves no time for another. */
function noTimeFor(perTry: string | undefined, timeout: string | undefined): string | undefined {
  const [one, all] = [parseDuration(perTry ?? ''), parseDuration(timeout ?? '')];
  if (one === undefined || all === undefined || all === 0 || one < all) return undefined;
  return `perTryTimeout is ${perTry}, and timeout ${timeout}: no time is left for another try`;
}
