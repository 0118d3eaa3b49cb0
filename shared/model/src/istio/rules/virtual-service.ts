/** What a VirtualService must be beyond its shape: one way of saying each thing, weights, hosts, expressions, durations. Pure. */
import { parseServiceHost } from '../../service-host.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { VirtualServiceHttp, VirtualServiceMatch, VirtualServiceSpec } from '../specs.ts';
import { durationProblems, hostProblems, invalid, matchProblems, rangeProblems, required, type Steps } from './checks.ts';

/** Every problem; paths are below the spec. */
export function virtualServiceProblems(spec: VirtualServiceSpec, namespace: string): readonly SchemaProblem[] {
  const given = spec.hosts ?? [];
  const hosts = given.flatMap((host, index) => hostProblems(['hosts', index], host, namespace));
  const keys = given.map((host) => JSON.stringify(parseServiceHost(host, namespace)));
  const twice = keys.flatMap((key, index): readonly SchemaProblem[] =>
    keys.indexOf(key) === index
      ? []
      : [{ steps: ['hosts', index], code: 'FieldValueDuplicate', message: 'names a service that is listed already' }],
  );
  return [
    ...required(['hosts'], spec.hosts),
    ...required(['http'], spec.http),
    ...hosts,
    ...(hosts.length === 0 ? twice : []),
    ...(spec.http ?? []).flatMap((route, index) => routeProblems(['http', index], route, namespace)),
  ];
}

function routeProblems(steps: Steps, rule: VirtualServiceHttp, namespace: string): readonly SchemaProblem[] {
  const { retries } = rule;
  const route = rule.route ?? [];
  return [
    ...required([...steps, 'route'], rule.route),
    ...route.flatMap(({ destination, weight }, index) => [
      ...hostProblems([...steps, 'route', index, 'destination', 'host'], destination.host, namespace),
      ...rangeProblems([...steps, 'route', index, 'destination', 'port', 'number'], destination.port?.number, [1, 65_535]),
      ...rangeProblems([...steps, 'route', index, 'weight'], weight, [0, 100]),
    ]),
    ...weightProblems(
      steps,
      route.map(({ weight }) => weight),
    ),
    ...(rule.match ?? []).flatMap((match, index) => requestProblems([...steps, 'match', index], match)),
    ...durationProblems([...steps, 'timeout'], rule.timeout),
    ...rangeProblems([...steps, 'retries', 'attempts'], retries?.attempts, [0, 10]),
    ...durationProblems([...steps, 'retries', 'perTryTimeout'], retries?.perTryTimeout),
  ];
}

function weightProblems(steps: Steps, weights: readonly (number | undefined)[]): readonly SchemaProblem[] {
  if (weights.some((weight = 0) => weight < 0 || weight > 100)) return [];
  const sum = weights.reduce((total: number, weight) => total + (weight ?? 0), 0);
  if (weights.length > 1 && sum !== 100) {
    return [invalid([...steps, 'route'], `weights add up to ${sum}; those of several destinations must add up to 100`)];
  }
  if (weights.length !== 1 || weights[0] !== 0) return [];
  return [invalid([...steps, 'route', 0, 'weight'], 'is 0 for the only destination: leave it out, or write 100')];
}

function requestProblems(steps: Steps, match: VirtualServiceMatch): readonly SchemaProblem[] {
  const names = Object.entries(match.headers ?? {}).flatMap(([name, value]) => [
    ...(isHeaderName(name) ? [] : [invalid([...steps, 'headers', name], 'must be a header name in lower case')]),
    ...matchProblems([...steps, 'headers', name], value),
  ]);
  return [...matchProblems([...steps, 'uri'], match.uri), ...matchProblems([...steps, 'method'], match.method), ...names];
}

function isHeaderName(name: string): boolean {
  return /^:?[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name);
}
