/** Rules of specs that a schema cannot say: sums, duplicates, hosts, expressions. They run on specs that fit their schema. Pure. */
import { parseDuration } from './duration.ts';
import { HUB } from './fleet.ts';
import type { DestinationRuleSpec, HttpRouteSpec, JoinTokenSpec, StringMatch, TrafficShiftSpec, VirtualServiceSpec } from './kind-specs.ts';
import { isLabelKey, isLabelValue } from './label-selector.ts';
import { regexProblem } from './regex.ts';
import { parseServiceHost } from './service-host.ts';
import type { SchemaProblem } from './validate-schema.ts';

const DAY_MS = 86_400_000;
/** Envoy keeps durations in 64-bit nanoseconds; nobody means more than a day. */
const MAX_TIMEOUT_MS = DAY_MS;

type Rule = (spec: never, namespace: string) => readonly SchemaProblem[];

const RULES: Readonly<Record<string, Rule>> = {
  JoinToken: joinToken as Rule,
  TrafficShift: trafficShift as Rule,
  VirtualService: virtualService as Rule,
  DestinationRule: destinationRule as Rule,
};

/** Every problem of a spec's meaning; paths are below the spec. */
export function meaningProblems(kind: string, spec: unknown, namespace: string): readonly SchemaProblem[] {
  const rule = Object.hasOwn(RULES, kind) ? RULES[kind] : undefined;
  return rule?.(spec as never, namespace) ?? [];
}

function joinToken(spec: JoinTokenSpec): readonly SchemaProblem[] {
  const ttl = spec.ttl === undefined ? 1 : (parseDuration(spec.ttl) ?? 0);
  const problems: SchemaProblem[] = [];
  if (spec.cluster === HUB) problems.push(invalid(['cluster'], `is ${HUB}, the hub's own name on the bus: choose another`));
  if (ttl <= 0 || ttl > DAY_MS) problems.push(invalid(['ttl'], `is ${spec.ttl}; it must be more than nothing and at most 24h`));
  return [...problems, ...labelProblems(['labels'], spec.labels)];
}

function trafficShift(spec: TrafficShiftSpec): readonly SchemaProblem[] {
  const sum = Object.values(spec.regions).reduce((total, share) => total + share, 0);
  return sum === 100 ? [] : [invalid(['regions'], `add up to ${sum}; the shares of all regions must add up to 100`)];
}

function virtualService(spec: VirtualServiceSpec, namespace: string): readonly SchemaProblem[] {
  const hosts = spec.hosts.flatMap((host, index) => hostProblems(['hosts', index], host, namespace));
  const keys = spec.hosts.map((host) => JSON.stringify(parseServiceHost(host, namespace)));
  const twice = keys.flatMap((key, index): readonly SchemaProblem[] =>
    keys.indexOf(key) === index
      ? []
      : [{ steps: ['hosts', index], code: 'FieldValueDuplicate', message: 'names a service that is listed already' }],
  );
  return [
    ...hosts,
    ...(hosts.length === 0 ? twice : []),
    ...spec.http.flatMap((route, index) => routeProblems(['http', index], route, namespace)),
  ];
}

function routeProblems(steps: readonly (string | number)[], route: HttpRouteSpec, namespace: string): readonly SchemaProblem[] {
  const problems = route.route.flatMap(({ destination }, index) =>
    hostProblems([...steps, 'route', index, 'destination', 'host'], destination.host, namespace),
  );
  const sum = route.route.reduce((total, { weight }) => total + (weight ?? 0), 0);
  if (route.route.length > 1 && sum !== 100) {
    problems.push(invalid([...steps, 'route'], `weights add up to ${sum}; those of several destinations must add up to 100`));
  }
  if (route.route.length === 1 && route.route[0]?.weight === 0) {
    problems.push(invalid([...steps, 'route', 0, 'weight'], 'is 0 for the only destination: leave it out, or write 100'));
  }
  for (const [index, match] of (route.match ?? []).entries()) {
    const at = [...steps, 'match', index];
    problems.push(...matchProblems([...at, 'uri'], match.uri), ...matchProblems([...at, 'method'], match.method));
    for (const [name, value] of Object.entries(match.headers ?? {})) {
      if (!/^:?[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name))
        problems.push(invalid([...at, 'headers', name], 'must be a header name in lower case'));
      problems.push(...matchProblems([...at, 'headers', name], value));
    }
  }
  return [
    ...problems,
    ...durationProblems([...steps, 'timeout'], route.timeout),
    ...durationProblems([...steps, 'retries', 'perTryTimeout'], route.retries?.perTryTimeout),
  ];
}

function matchProblems(steps: readonly (string | number)[], match: StringMatch | undefined): readonly SchemaProblem[] {
  if (match === undefined || !('regex' in match)) return [];
  const problem = regexProblem(match.regex);
  return problem === undefined ? [] : [invalid([...steps, 'regex'], problem)];
}

function durationProblems(steps: readonly (string | number)[], text: string | undefined): readonly SchemaProblem[] {
  const ms = text === undefined ? 0 : (parseDuration(text) ?? Number.POSITIVE_INFINITY);
  if (ms > MAX_TIMEOUT_MS) return [invalid(steps, `is ${text}; at most 24h is allowed`)];
  return ms > 0 && ms < 1 ? [invalid(steps, `is ${text}; the smallest step is 1ms`)] : [];
}

function destinationRule(spec: DestinationRuleSpec, namespace: string): readonly SchemaProblem[] {
  const subsets = spec.subsets ?? [];
  const problems = [...hostProblems(['host'], spec.host, namespace)];
  for (const [index, subset] of subsets.entries()) {
    const at = ['subsets', index];
    if (subsets.findIndex((other) => other.name === subset.name) !== index) {
      problems.push({ steps: [...at, 'name'], code: 'FieldValueDuplicate', message: `there is a subset ${subset.name} already` });
    }
    if (!/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(subset.name)) {
      problems.push(invalid([...at, 'name'], 'must be at most 63 letters, digits, "-", "_" and "."'));
    }
    problems.push(...labelProblems([...at, 'labels'], subset.labels));
  }
  return problems;
}

function labelProblems(
  steps: readonly (string | number)[],
  labels: Readonly<Record<string, string>> | undefined,
): readonly SchemaProblem[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) =>
    isLabelKey(key) && isLabelValue(value) ? [] : [invalid([...steps, key], `${key}=${value} is not a label`)],
  );
}

function hostProblems(steps: readonly (string | number)[], host: string, namespace: string): SchemaProblem[] {
  if (parseServiceHost(host, namespace) !== undefined) return [];
  const way = 'write SERVICE, SERVICE.NAMESPACE or SERVICE.NAMESPACE.svc.clusterset.local';
  return [invalid(steps, `is ${JSON.stringify(host)}, which no service can have: ${way}`)];
}

function invalid(steps: readonly (string | number)[], message: string): SchemaProblem {
  return { steps, code: 'FieldValueInvalid', message };
}
