/** What a VirtualService must be beyond its shape: one way of saying each thing, hosts, weights, expressions, durations. Pure. */
import { hostKey } from '../../service-host.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { VirtualServiceHttp, VirtualServiceSpec } from '../specs.ts';
import { durationProblems, invalid, rangeProblems, required, type Steps } from './checks.ts';
import { connectionProblems } from './connections.ts';
import { destinationProblems, MOST_WEIGHT, weightProblems } from './destinations.ts';
import { headerProblems } from './header-operations.ts';
import { corsProblems, directResponseProblems, faultProblems, redirectProblems, rewriteProblems } from './http-actions.ts';
import { requestProblems } from './http-match.ts';

/** Every problem; paths are below the spec. */
export function virtualServiceProblems(spec: VirtualServiceSpec, namespace: string): readonly SchemaProblem[] {
  const isRuled = spec.http !== undefined || spec.tcp !== undefined || spec.tls !== undefined;
  return [
    ...hostsProblems(spec, namespace),
    ...(isRuled ? [] : required(['http'], spec.http)),
    ...(spec.http?.length === 0 ? required(['http'], spec.http) : []),
    ...(spec.http ?? []).flatMap((rule, index) => ruleProblems(['http', index], rule, namespace)),
    ...connectionProblems(spec, namespace),
  ];
}

/** Without hosts it is for others to delegate to: HTTP rules alone, and no gateways of its own. */
function hostsProblems({ hosts, gateways, tcp, tls }: VirtualServiceSpec, namespace: string): readonly SchemaProblem[] {
  if (hosts === undefined || hosts.length === 0) {
    const isDelegate = [hosts, gateways, tcp, tls].every((list = []) => list.length === 0);
    return isDelegate ? [] : required(['hosts'], hosts);
  }
  const isMesh = gateways === undefined || gateways.length === 0 || gateways.includes('mesh');
  const texts = hosts.map((host) => host.toLowerCase());
  return hosts.flatMap((host, index) => {
    if (hostKey(host, namespace) === undefined)
      return [invalid(['hosts', index], `is ${JSON.stringify(host)}, which is no host name: ${HOST_WAY}`)];
    if (host === '*' && isMesh) return [invalid(['hosts', index], 'is *, which is for gateways alone: name the gateways, or the hosts')];
    // Several spellings of one service are one, as in Istio.
    const isTwice = texts.indexOf(host.toLowerCase()) !== index;
    return isTwice ? [{ steps: ['hosts', index], code: 'FieldValueDuplicate', message: `is ${host}, which is listed already` }] : [];
  });
}

const HOST_WAY = 'write SERVICE, SERVICE.NAMESPACE, a full name, or *. and a domain';

function ruleProblems(steps: Steps, rule: VirtualServiceHttp, namespace: string): readonly SchemaProblem[] {
  const { retries, mirror, mirrors = [] } = rule;
  return [
    ...oneActionProblems(steps, rule),
    ...routeProblems(steps, rule, namespace),
    ...(rule.match ?? []).flatMap((match, index) => requestProblems([...steps, 'match', index], match)),
    ...durationProblems([...steps, 'timeout'], rule.timeout),
    ...rangeProblems([...steps, 'retries', 'attempts'], retries?.attempts, [0, 10]),
    ...durationProblems([...steps, 'retries', 'perTryTimeout'], retries?.perTryTimeout),
    ...durationProblems([...steps, 'retries', 'backoff'], retries?.backoff),
    ...headerProblems([...steps, 'headers'], rule.headers),
    ...(rule.redirect === undefined ? [] : redirectProblems([...steps, 'redirect'], rule.redirect)),
    ...(rule.directResponse === undefined ? [] : directResponseProblems([...steps, 'directResponse'], rule.directResponse)),
    ...rewriteProblems([...steps, 'rewrite'], rule.rewrite),
    ...faultProblems([...steps, 'fault'], rule.fault),
    ...corsProblems([...steps, 'corsPolicy'], rule.corsPolicy),
    ...(mirror === undefined ? [] : destinationProblems([...steps, 'mirror'], mirror, namespace)),
    ...mirrors.flatMap(({ destination }, index) =>
      destinationProblems([...steps, 'mirrors', index, 'destination'], destination, namespace),
    ),
    ...(mirror !== undefined && mirrors.length > 0
      ? [invalid([...steps, 'mirrors'], 'and mirror exclude each other: put all into mirrors')]
      : []),
  ];
}

/** A rule forwards, redirects, answers or delegates: exactly one of them. */
function oneActionProblems(steps: Steps, rule: VirtualServiceHttp): readonly SchemaProblem[] {
  const actions = (['route', 'redirect', 'directResponse', 'delegate'] as const).filter((action) => rule[action] !== undefined);
  if (actions.length > 1) return [invalid(steps, `has ${actions.join(' and ')}, of which a rule has one`)];
  if (actions.length === 0) return [invalid(steps, 'needs one of route, redirect, directResponse, delegate')];
  if (rule.delegate !== undefined && (rule.delegate.name ?? '') === '') return [invalid([...steps, 'delegate', 'name'], 'is required')];
  return [];
}

function routeProblems(steps: Steps, rule: VirtualServiceHttp, namespace: string): readonly SchemaProblem[] {
  if (rule.route === undefined) return [];
  const { route } = rule;
  const weights = route.map(({ weight }) => weight);
  return [
    ...required([...steps, 'route'], route),
    ...route.flatMap(({ destination, weight, headers }, index) => [
      ...destinationProblems([...steps, 'route', index, 'destination'], destination, namespace),
      ...rangeProblems([...steps, 'route', index, 'weight'], weight, [0, MOST_WEIGHT]),
      ...headerProblems([...steps, 'route', index, 'headers'], headers),
    ]),
    ...weightProblems([...steps, 'route'], weights),
  ];
}
