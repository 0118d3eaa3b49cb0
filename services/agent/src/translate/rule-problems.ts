/** What of the policies in force is not served as written: rules left out, destinations that answer 503, subsets without endpoints. Pure. */
import type { Subset } from './destination-rules.ts';
import { destinationOf, type ServiceLookup } from './destinations.ts';
import type { HttpRule } from './policy-index.ts';
import { routeMatch } from './route-match.ts';
import type { HostView, ServiceView } from './service-view.ts';

/** One field of a policy. */
export interface RuleProblem {
  /** `KIND/NAMESPACE/NAME`. */
  readonly policy: string;
  readonly field: string;
  readonly message: string;
}

/** The problems of one service, at the host that its short name means; each field once. */
export function ruleProblems(view: ServiceView, lookup: ServiceLookup): RuleProblem[] {
  const host = view.hosts.find((candidate) => candidate.short) ?? view.hosts[0];
  if (host === undefined) return [];
  const all = [
    ...view.policies.rules.flatMap((rule) => [...matchProblems(rule), ...destinationProblems(rule, host, lookup)]),
    ...view.subsets.flatMap((subset) => subsetProblems(subset, host)),
  ];
  const seen = new Set<string>();
  return all.filter(({ policy, field }) => !seen.has(`${policy} ${field}`) && seen.add(`${policy} ${field}`));
}

function matchProblems({ policy, index, rule }: HttpRule): RuleProblem[] {
  return (rule.match ?? []).flatMap((match, at) =>
    routeMatch(match) === undefined
      ? [{ policy, field: `spec.http[${index}].match[${at}]`, message: 'Envoy would not take the expression: this match is left out' }]
      : [],
  );
}

function destinationProblems({ policy, index, namespace, rule }: HttpRule, host: HostView, lookup: ServiceLookup): RuleProblem[] {
  return rule.route.flatMap(({ destination }, at) => {
    const missing = host.ports
      .filter((port) => port.protocol !== 'tcp')
      .map((port) => destinationOf(destination, { namespace, host, port }, lookup))
      .find((found) => found.state === 'missing');
    if (missing?.state !== 'missing') return [];
    const message = `${missing.reason.replace(/^hawser: /, '')}: requests for it are answered 503`;
    return [{ policy, field: `spec.http[${index}].route[${at}].destination`, message }];
  });
}

function subsetProblems({ policy, index, name, labels }: Subset, host: HostView): RuleProblem[] {
  const endpoints = host.parts.flatMap(({ shard }) => shard.endpoints);
  if (endpoints.some((endpoint) => labels.every(([key, value]) => endpoint.labels[key] === value))) return [];
  const message = `no endpoint of ${host.host} is in the subset ${name}: requests for it are answered 503`;
  return [{ policy, field: `spec.subsets[${index}]`, message }];
}
