/** What a DestinationRule asks of a service of the mesh that is not done: the hub refuses it for a name, a wildcard may still say it. Pure. */

import type { RuleProblem } from '../routes/rule-problems.ts';
import type { DestinationPolicy } from './destination-rules.ts';
import type { TrafficPolicy } from './traffic-policy.ts';

const TLS =
  'calls of services of the mesh are made by Hawser’s mutual TLS all the same: write ISTIO_MUTUAL, or a rule for hosts outside alone';
const PROXY = 'sidecars of services of the mesh do not expect it: it is left out for them';

/** The problems of the rules that hold for a service of the mesh. */
export function meshProblems({ policy, trafficPolicy, subsets }: DestinationPolicy): RuleProblem[] {
  return [
    ...policyProblems(policy, 'spec.trafficPolicy', trafficPolicy),
    ...subsets.flatMap((subset) => policyProblems(subset.policy, `spec.subsets[${subset.index}].trafficPolicy`, subset.trafficPolicy)),
  ];
}

function policyProblems(policy: string, at: string, rule: TrafficPolicy | undefined): RuleProblem[] {
  if (rule === undefined) return [];
  const ports = (rule.portLevelSettings ?? []).map(({ tls }, index) => ({ tls, field: `${at}.portLevelSettings[${index}].tls.mode` }));
  const modes = [{ tls: rule.tls, field: `${at}.tls.mode` }, ...ports];
  return [
    ...modes.flatMap(({ tls, field }) => (tls === undefined || tls.mode === 'ISTIO_MUTUAL' ? [] : [{ policy, field, message: TLS }])),
    ...(rule.proxyProtocol === undefined ? [] : [{ policy, field: `${at}.proxyProtocol`, message: PROXY }]),
  ];
}
