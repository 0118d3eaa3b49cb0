/** What Telemetry policies amount to for one workload, in Istio's order: mesh, namespace, workload; the oldest of each level. Pure. */
import type { ExtensionProviderSpec } from '@hawser/model/extension-provider.ts';
import { METRIC_NAMES } from '@hawser/model/istio/metric-names.ts';
import type {
  TelemetryAccessLogging,
  TelemetryCustomTags,
  TelemetryOverrides,
  TelemetrySpec,
  TelemetryTagOverrides,
} from '@hawser/model/istio/specs.ts';
import { BUILT_IN_LOG } from '@hawser/model/provider-references.ts';
import { type ExtensionPolicies, levelFor, type Policy, providerNamed, type Workload } from './extension-policies.ts';

/** Which part of a proxy: the caller's or the server's. */
export type Side = 'CLIENT' | 'SERVER';

/** A log that is written. */
export interface WantedLog {
  /** Name of the provider. */
  readonly provider: string;
  readonly form: ExtensionProviderSpec['envoyFileAccessLog'];
  /** CEL expression. */
  readonly filter: string | undefined;
}

/** How requests are traced. */
export interface WantedTracing {
  readonly provider: Policy<ExtensionProviderSpec>;
  readonly sampling: number;
  readonly tags: Readonly<Record<string, TelemetryCustomTags>>;
  readonly istioTags: boolean;
  readonly byRequestId: boolean;
}

/** Metrics that are not counted, and labels that differ. */
export interface MetricOverrides {
  readonly disabled: ReadonlySet<string>;
  /** By metric. */
  readonly tags: ReadonlyMap<string, ReadonlyMap<string, TelemetryTagOverrides>>;
}

/** Istio's metrics by their names in a Telemetry. */
export const METRICS = [
  ...['REQUEST_COUNT', 'REQUEST_DURATION', 'REQUEST_SIZE', 'RESPONSE_SIZE', 'GRPC_REQUEST_MESSAGES', 'GRPC_RESPONSE_MESSAGES'],
  ...['TCP_OPENED_CONNECTIONS', 'TCP_CLOSED_CONNECTIONS', 'TCP_SENT_BYTES', 'TCP_RECEIVED_BYTES'],
] as const;

/** The policies that hold for a workload, the farthest first. */
export function telemetryFor(workload: Workload, policies: ExtensionPolicies): readonly Policy<TelemetrySpec>[] {
  const levels = policies.telemetry.map((policy) => ({ policy, level: levelFor(workload, policy) }));
  return [0, 1, 2].flatMap((wanted) => levels.find(({ level }) => level === wanted)?.policy ?? []);
}

/** Logs of one side; the providers of a nearer level take the place of those before, one that is disabled is taken out. */
export function wantedLogs(held: readonly Policy<TelemetrySpec>[], policies: ExtensionPolicies, side: Side): readonly WantedLog[] {
  const all = held.map((policy) => (policy.spec.accessLogging ?? []).filter(({ match }) => isFor(match?.mode, side)));
  if (all.every((entries) => entries.length === 0)) return [];
  const byDefault = policies.providers.filter(({ spec }) => spec.defaultFor?.includes('accessLogging')).map(({ name }) => name);
  let inherited: readonly string[] = byDefault.length > 0 ? byDefault : [BUILT_IN_LOG];
  let wanted = new Map<string, string | undefined>();
  for (const entries of all) {
    const named = entries.filter(({ providers = [] }) => providers.length > 0);
    if (named.some(({ disabled }) => disabled !== true)) wanted = new Map();
    for (const entry of entries) {
      const names = namesOf(entry, inherited);
      for (const name of names) {
        if (entry.disabled === true) wanted.delete(name);
        else wanted.set(name, entry.filter?.expression);
      }
      if (entry.disabled !== true) inherited = names;
    }
  }
  const namespace = held.at(-1)?.namespace ?? '';
  return [...wanted].flatMap(([provider, filter]) => {
    const form = providerNamed(policies, provider, namespace)?.spec.envoyFileAccessLog ?? (provider === BUILT_IN_LOG ? {} : undefined);
    return form === undefined ? [] : [{ provider, form, filter }];
  });
}

function namesOf({ providers = [] }: TelemetryAccessLogging, inherited: readonly string[]): readonly string[] {
  return providers.length > 0 ? providers.map(({ name }) => name) : inherited;
}

/** Tracing of one side; what a nearer level says takes the place of what was said before. Undefined: no spans. */
export function wantedTracing(held: readonly Policy<TelemetrySpec>[], policies: ExtensionPolicies, side: Side): WantedTracing | undefined {
  const levels = held.flatMap(({ namespace, spec }) => (spec.tracing ?? []).map((tracing) => ({ namespace, tracing })));
  const matching = levels.filter(({ tracing }) => isFor(tracing.match?.mode, side));
  const last = <T>(pick: (one: (typeof matching)[number]) => T | undefined): T | undefined =>
    matching.map(pick).findLast((value) => value !== undefined);
  if (last(({ tracing }) => tracing.disableSpanReporting) === true) return undefined;
  const named = last(({ namespace, tracing: { providers = [] } }) => {
    const found = providers.map(({ name }) => providerNamed(policies, name, namespace)).find((one) => isTracer(one?.spec));
    return providers.length > 0 ? { found } : undefined;
  });
  const provider = named === undefined ? policies.providers.find(({ spec }) => spec.defaultFor?.includes('tracing')) : named.found;
  if (provider === undefined) return undefined;
  return {
    provider,
    sampling: last(({ tracing }) => tracing.randomSamplingPercentage) ?? 1,
    tags: last(({ tracing }) => tracing.customTags) ?? {},
    istioTags: last(({ tracing }) => tracing.enableIstioTags) ?? true,
    byRequestId: last(({ tracing }) => tracing.useRequestIdForTraceSampling) ?? true,
  };
}

/** Overrides of metrics for one side; later ones take the place of earlier ones, tag by tag. */
export function metricOverrides(held: readonly Policy<TelemetrySpec>[], side: Side): MetricOverrides {
  const disabled = new Set<string>();
  const tags = new Map<string, Map<string, TelemetryTagOverrides>>();
  for (const override of held.flatMap(({ spec }) => (spec.metrics ?? []).flatMap(({ overrides = [] }) => overrides))) {
    if (!isFor(override.match?.mode, side)) continue;
    for (const metric of metricsOf(override)) {
      if (override.disabled === true) disabled.add(metric);
      if (override.disabled === false) disabled.delete(metric);
      const known = tags.get(metric) ?? new Map<string, TelemetryTagOverrides>();
      for (const [tag, change] of Object.entries(override.tagOverrides ?? {})) known.set(tag, change);
      tags.set(metric, known);
    }
  }
  return { disabled, tags };
}

function metricsOf({ match }: TelemetryOverrides): readonly string[] {
  const { customMetric } = match ?? {};
  if (customMetric !== undefined) return METRICS.filter((metric) => METRIC_NAMES[metric] === customMetric);
  const metric = match?.metric ?? 'ALL_METRICS';
  return metric === 'ALL_METRICS' ? METRICS : [metric];
}

function isFor(mode: string | undefined, side: Side): boolean {
  return mode === undefined || mode === 'CLIENT_AND_SERVER' || mode === side;
}

function isTracer(spec: ExtensionProviderSpec | undefined): boolean {
  return spec?.opentelemetry !== undefined || spec?.zipkin !== undefined;
}
