/** What policies in force name and nothing is: providers and Secrets. Pure. */
import type { World } from '../state/world.ts';
import { credentialProblems } from './credential-problems.ts';
import { ingressProblems } from './listeners/ingress-problems.ts';
import type { RuleProblem } from './routes/rule-problems.ts';
import type { ExtensionPolicies } from './telemetry/extension-policies.ts';
import { providerProblems } from './telemetry/provider-problems.ts';

/** Problems of all of them; nothing before there is a world. */
export function namedProblems(extensions: ExtensionPolicies, world: World | undefined): RuleProblem[] {
  if (world === undefined) return [];
  const { policies, credentials = new Map() } = world;
  return [...providerProblems(extensions), ...credentialProblems(policies, credentials), ...ingressProblems(policies, credentials)];
}
