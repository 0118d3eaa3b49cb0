/** What Telemetry, WasmPlugin and ExtensionProvider must be beyond their shape. Pure. */
import type { ExtensionProviderSpec } from '../../extension-provider.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import { METRIC_NAMES } from '../metric-names.ts';
import type { TelemetryOverridesMatch, TelemetrySpec, WasmPluginSpec } from '../specs.ts';
import { invalid, rangeProblems, type Steps } from './checks.ts';
import { targetProblems } from './targets.ts';

const FORMS = ['envoyFileAccessLog', 'opentelemetry', 'zipkin', 'envoyExtAuthzHttp', 'envoyExtAuthzGrpc'] as const;

/** Exactly one form, used for what it can do. */
export function extensionProviderProblems(spec: ExtensionProviderSpec): readonly SchemaProblem[] {
  const forms = FORMS.filter((form) => spec[form] !== undefined);
  if (forms.length !== 1) return [invalid([], `must have exactly one of ${FORMS.join(', ')}`)];
  const problems: SchemaProblem[] = [];
  const serves = spec.envoyFileAccessLog !== undefined ? 'accessLogging' : spec.opentelemetry || spec.zipkin ? 'tracing' : 'decisions';
  for (const [index, use] of (spec.defaultFor ?? []).entries())
    if (use !== serves) problems.push(invalid(['defaultFor', index], `is ${use}, but the provider is for ${serves}`));
  const { text, labels } = spec.envoyFileAccessLog?.logFormat ?? {};
  if (text !== undefined && labels !== undefined)
    problems.push(invalid(['envoyFileAccessLog', 'logFormat'], 'has text and labels, of which there can be one'));
  return problems;
}

/** Every problem of a Telemetry; paths are below the spec. */
export function telemetryProblems(spec: TelemetrySpec, namespace: string): readonly SchemaProblem[] {
  const problems = [...targetProblems(spec, namespace)];
  for (const [index, { providers = [], overrides = [] }] of (spec.metrics ?? []).entries()) {
    for (const [at, { name }] of providers.entries())
      if (name !== 'prometheus')
        problems.push(invalid(['metrics', index, 'providers', at, 'name'], `is ${name}: only prometheus is served`));
    for (const [at, { match, tagOverrides = {} }] of overrides.entries()) {
      const steps = ['metrics', index, 'overrides', at];
      problems.push(...customMetricProblems([...steps, 'match'], match));
      for (const [tag, { operation = 'UPSERT', value }] of Object.entries(tagOverrides)) {
        const place = [...steps, 'tagOverrides', tag];
        if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(tag)) problems.push(invalid(place, 'is no name of a label'));
        if (operation === 'UPSERT' && (value ?? '') === '') problems.push(invalid([...place, 'value'], 'is needed to set a label'));
        if (value?.includes('%') === true) problems.push(invalid([...place, 'value'], 'must not contain %'));
      }
    }
  }
  return problems;
}

/** Only definitions of metrics, which an EnvoyFilter would bring, could make others than Istio's own: an override of one would do nothing. */
function customMetricProblems(steps: Steps, match: TelemetryOverridesMatch | undefined): readonly SchemaProblem[] {
  const { customMetric, metric } = match ?? {};
  if (customMetric === undefined) return [];
  if (metric !== undefined) return [invalid([...steps, 'customMetric'], `cannot be beside metric ${metric} (Istio): take one of them out`)];
  const known = Object.values(METRIC_NAMES);
  if (known.includes(customMetric)) return [];
  return [invalid([...steps, 'customMetric'], `is ${customMetric}, which no proxy counts: there are ${known.join(', ')}`)];
}

/** Every problem of a WasmPlugin; paths are below the spec. */
export function wasmPluginProblems(spec: WasmPluginSpec, namespace: string): readonly SchemaProblem[] {
  const problems = [...targetProblems(spec, namespace)];
  const scheme = /^([a-z]+):\/\//.exec(spec.url)?.[1] ?? 'oci';
  if (!['file', 'http', 'https'].includes(scheme))
    problems.push(invalid(['url'], `is of ${scheme}: Envoy takes modules from file://, http:// and https://, not from image registries`));
  const isRemote = scheme === 'http' || scheme === 'https';
  if (isRemote && !/^[0-9a-f]{64}$/i.test(spec.sha256 ?? ''))
    problems.push(invalid(['sha256'], 'must be the SHA-256 of the module in hex: Envoy fetches nothing that it cannot check'));
  if (!isRemote && spec.sha256 !== undefined) problems.push(invalid(['sha256'], 'is checked for modules by HTTP alone: take it out'));
  for (const [index, { ports = [], mode = 'CLIENT_AND_SERVER' }] of (spec.match ?? []).entries()) {
    // Callers' proxies have one chain for HTTP to all ports, and a connection says nothing of the service that it is for.
    if (spec.type === 'NETWORK' && ports.length > 0 && mode !== 'SERVER')
      problems.push(
        invalid(['match', index, 'ports'], `is for mode SERVER where type is NETWORK, and this is ${mode}: give it mode SERVER`),
      );
    for (const [at, { number }] of ports.entries())
      problems.push(...rangeProblems(['match', index, 'ports', at, 'number'], number, [1, 65_535]));
  }
  return problems;
}
