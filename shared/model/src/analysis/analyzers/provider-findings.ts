/** Providers that policy names and nothing is. */
import { ROOT_NAMESPACE } from '../../effective-policy.ts';
import type { ExtensionProviderSpec } from '../../extension-provider.ts';
import type { AuthorizationPolicySpec, TelemetrySpec } from '../../istio/specs.ts';
import { authorizationProviders, type ProviderReference, providerProblem, telemetryProviders } from '../../provider-references.ts';
import { type Finding, finding } from '../finding.ts';
import type { Subject } from '../subject.ts';
import type { World } from '../world.ts';

/** HW1001 of a Telemetry. */
export function telemetryFindings(subject: Subject<TelemetrySpec>, world: World): Finding[] {
  return findings(subject, telemetryProviders(subject.spec), world);
}

/** HW1001 of an AuthorizationPolicy. */
export function authorizationFindings(subject: Subject<AuthorizationPolicySpec>, world: World): Finding[] {
  return findings(subject, authorizationProviders(subject.spec), world);
}

function findings(subject: Subject, references: readonly ProviderReference[], world: World): Finding[] {
  return references.flatMap((reference) => {
    const of = (namespace: string) => world.get<ExtensionProviderSpec>('ExtensionProvider', namespace, reference.name)?.spec;
    const message = providerProblem(reference, subject.namespace, of(subject.namespace) ?? of(ROOT_NAMESPACE));
    return message === undefined ? [] : [finding('HW1001', { at: subject, field: reference.field }, message)];
  });
}
