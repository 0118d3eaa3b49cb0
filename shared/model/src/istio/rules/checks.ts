/** Checks that the rules of several kinds share. Each answers problems below `steps`, none when all is well. Pure. */
import { parseDuration } from '../../duration.ts';
import { isLabelKey, isLabelValue } from '../../label-selector.ts';
import { regexProblem } from '../../regex.ts';
import { parseServiceHost } from '../../service-host.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { StringMatch } from '../specs.ts';

/** Where in the spec. */
export type Steps = readonly (string | number)[];

/** Envoy keeps durations in 64-bit nanoseconds; nobody means more than a day. */
const MAX_MS = 86_400_000;

/** Protocols of Istio that a proxy carries. */
export const ISTIO_PROTOCOLS = ['HTTP', 'HTTP2', 'HTTPS', 'GRPC', 'GRPC-WEB', 'TCP', 'TLS', 'MONGO', 'MYSQL', 'REDIS'];

/** One problem of a value. */
export function invalid(steps: Steps, message: string): SchemaProblem {
  return { steps, code: 'FieldValueInvalid', message };
}

/** A list that must have an entry. */
export function required(steps: Steps, list: readonly unknown[] | undefined): readonly SchemaProblem[] {
  if (list === undefined) return [{ steps, code: 'FieldValueRequired', message: 'is required' }];
  return list.length > 0 ? [] : [{ steps, code: 'FieldValueRequired', message: 'needs at least 1 entry' }];
}

/** A duration such as `1.5s`, of 1 ms to 24 h; 0 where that means something. */
export function durationProblems(steps: Steps, text: string | undefined): readonly SchemaProblem[] {
  if (text === undefined) return [];
  const ms = parseDuration(text);
  if (ms === undefined) return [invalid(steps, `is ${JSON.stringify(text)}: must be a duration such as 500ms, 90s or 1m30s`)];
  if (ms > MAX_MS) return [invalid(steps, `is ${text}; at most 24h is allowed`)];
  return ms > 0 && ms < 1 ? [invalid(steps, `is ${text}; the smallest step is 1ms`)] : [];
}

/** A whole number within bounds. */
export function rangeProblems(steps: Steps, value: number | undefined, [least, most]: readonly [number, number]): readonly SchemaProblem[] {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return [];
  return [invalid(steps, `is ${value}; it must be a whole number from ${least} to ${most}`)];
}

/** A match of text by exactly one of its three forms. */
export function matchProblems(steps: Steps, match: StringMatch | undefined): readonly SchemaProblem[] {
  if (match === undefined) return [];
  if (Object.keys(match).length !== 1) return [invalid(steps, 'must have exactly one of exact, prefix, regex')];
  const problem = match.regex === undefined ? undefined : regexProblem(match.regex);
  return problem === undefined ? [] : [invalid([...steps, 'regex'], problem)];
}

/** Labels as Kubernetes has them. */
export function labelProblems(steps: Steps, labels: Readonly<Record<string, string>> | undefined): readonly SchemaProblem[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) =>
    isLabelKey(key) && isLabelValue(value) ? [] : [invalid([...steps, key], `${key}=${value} is not a label`)],
  );
}

/** The host of a service, as a policy of `namespace` names it. */
export function hostProblems(steps: Steps, host: string, namespace: string): readonly SchemaProblem[] {
  if (parseServiceHost(host, namespace) !== undefined) return [];
  const way = 'write SERVICE, SERVICE.NAMESPACE or SERVICE.NAMESPACE.svc.clusterset.local';
  return [invalid(steps, `is ${JSON.stringify(host)}, which no service can have: ${way}`)];
}

/** Namespaces that something is exported to: names, `.` for the own one, `*` for all, `~` for none. */
export function exportProblems(steps: Steps, exportTo: readonly string[] | undefined): readonly SchemaProblem[] {
  return (exportTo ?? []).flatMap((target, index) =>
    /^([.*~]|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$/.test(target)
      ? []
      : [invalid([...steps, index], `is ${JSON.stringify(target)}: must be a namespace, "." for this one, "*" for all or "~" for none`)],
  );
}
