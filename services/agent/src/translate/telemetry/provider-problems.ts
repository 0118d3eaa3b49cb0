/** Telemetry and AuthorizationPolicies that name providers which are not there, or are for something else. Pure. */
import { authorizationProviders, type ProviderReference, providerProblem, telemetryProviders } from '@hawser/model/provider-references.ts';
import type { RuleProblem } from '../routes/rule-problems.ts';
import { type ExtensionPolicies, type Policy, providerNamed } from './extension-policies.ts';

/** What of them is not done as written. */
export function providerProblems(policies: ExtensionPolicies): RuleProblem[] {
  const problems = <Spec>(
    { key, namespace, spec }: Policy<Spec>,
    references: (spec: Spec) => readonly ProviderReference[],
  ): RuleProblem[] =>
    references(spec).flatMap((reference) => {
      const message = providerProblem(reference, namespace, providerNamed(policies, reference.name, namespace)?.spec);
      return message === undefined ? [] : [{ policy: key, field: reference.field, message }];
    });
  return [
    ...policies.telemetry.flatMap((policy) => problems(policy, telemetryProviders)),
    ...policies.authorization.flatMap((policy) => problems(policy, authorizationProviders)),
  ];
}
