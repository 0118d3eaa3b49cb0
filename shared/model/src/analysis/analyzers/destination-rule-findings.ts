/** DestinationRules that compete, and what they say of localities. */
import { ROOT_NAMESPACE } from '../../effective-policy.ts';
import type { DestinationRuleSpec, DestinationRuleTrafficPolicy } from '../../istio/specs.ts';
import { type Finding, finding } from '../finding.ts';
import { hostText, keyOf } from '../hosts.ts';
import type { Subject } from '../subject.ts';
import { byAge, type World } from '../world.ts';

type DestinationRule = Subject<DestinationRuleSpec>;

/** HW0301, HW0302: told at the younger one. */
export function competingRules(subject: DestinationRule, world: World): Finding[] {
  const key = keyOf(subject.spec.host, subject.namespace);
  const isSame = ({ spec }: DestinationRule): boolean =>
    JSON.stringify(spec.workloadSelector) === JSON.stringify(subject.spec.workloadSelector);
  const rules = world.forHost<DestinationRuleSpec>('DestinationRule', key);
  const older = rules.filter(
    (other) => other.key !== subject.key && byAge(other, subject) < 0 && other.namespace === subject.namespace && isSame(other),
  );
  const [oldest] = older;
  if (oldest === undefined) return [];
  const own =
    subject.spec.trafficPolicy !== undefined && oldest.spec.trafficPolicy !== undefined
      ? 'its trafficPolicy is in force, not this one'
      : 'of subsets, this one adds those that it does not define';
  return [
    finding('HW0301', { at: subject, field: 'spec.host' }, `${oldest.key} is for ${hostText(key)} too; it is older and wins: ${own}`),
    ...(subject.spec.subsets ?? []).flatMap(({ name }, index) => {
      const first = older.find(({ spec }) => spec.subsets?.some((subset) => subset.name === name));
      return first === undefined
        ? []
        : [
            finding(
              'HW0302',
              { at: subject, field: `spec.subsets[${index}].name` },
              `${first.key} defines the subset ${name} already, and wins`,
            ),
          ];
    }),
  ];
}

/** HW0306: rules hold for callers of their namespace, or of all in the namespace of the service and in the root namespace. */
export function ruleElsewhere(subject: DestinationRule): Finding[] {
  const key = keyOf(subject.spec.host, subject.namespace);
  if (key.startsWith('*/') || subject.namespace === ROOT_NAMESPACE || key.startsWith(`${subject.namespace}/`)) return [];
  const message = `${hostText(key)} is of another namespace: only callers in ${subject.namespace} are meant`;
  return [finding('HW0306', { at: subject, field: 'spec.host' }, message)];
}

/** Every traffic policy of a rule, with its field. */
export function trafficPoliciesOf(
  spec: DestinationRuleSpec,
): readonly { readonly field: string; readonly policy: DestinationRuleTrafficPolicy }[] {
  const top = [
    { field: 'spec.trafficPolicy', policy: spec.trafficPolicy },
    ...(spec.subsets ?? []).map(({ trafficPolicy }, index) => ({ field: `spec.subsets[${index}].trafficPolicy`, policy: trafficPolicy })),
  ];
  return top.flatMap(({ field, policy }) =>
    policy === undefined
      ? []
      : [
          { field, policy },
          ...(policy.portLevelSettings ?? []).map((port, index) => ({ field: `${field}.portLevelSettings[${index}]`, policy: port })),
        ],
  );
}

/** HW0305. */
export function localityShares(subject: DestinationRule): Finding[] {
  return trafficPoliciesOf(subject.spec).flatMap(({ field, policy }) =>
    (policy.loadBalancer?.localityLbSetting?.distribute ?? []).flatMap(({ to = {} }, index) => {
      const sum = Object.values(to).reduce((total, share) => total + share, 0);
      const at = `${field}.loadBalancer.localityLbSetting.distribute[${index}].to`;
      return sum === 100 ? [] : [finding('HW0305', { at: subject, field: at }, `the shares add up to ${sum}`)];
    }),
  );
}
