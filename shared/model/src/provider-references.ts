/** Where policies name ExtensionProviders, and what is wrong when there is none, or one for something else. Pure. */
import { ROOT_NAMESPACE } from './effective-policy.ts';
import type { ExtensionProviderSpec } from './extension-provider.ts';
import type { AuthorizationPolicySpec, TelemetrySpec } from './istio/specs.ts';

/** What a provider is named for. */
export type ProviderUse = 'accessLogging' | 'tracing' | 'decisions';

/** A provider as a policy names it. */
export interface ProviderReference {
  readonly field: string;
  readonly name: string;
  readonly use: ProviderUse;
}

/** The access log that is there without being declared. */
export const BUILT_IN_LOG = 'envoy';

/** The providers that a Telemetry names; the one of metrics is built in, and so is the log of Envoy's own output. */
export function telemetryProviders({ accessLogging = [], tracing = [] }: TelemetrySpec): readonly ProviderReference[] {
  const uses = { accessLogging, tracing } as const;
  return (Object.keys(uses) as (keyof typeof uses)[]).flatMap((use) =>
    uses[use].flatMap(({ providers = [] }, index) =>
      providers
        .map(({ name }, at) => ({ field: `spec.${use}[${index}].providers[${at}].name`, name, use }))
        .filter(({ name }) => use !== 'accessLogging' || name !== BUILT_IN_LOG),
    ),
  );
}

/** The provider that an AuthorizationPolicy leaves decisions to. */
export function authorizationProviders({ action, provider }: AuthorizationPolicySpec): readonly ProviderReference[] {
  const name = provider?.name ?? '';
  return action !== 'CUSTOM' || name === '' ? [] : [{ field: 'spec.provider.name', name, use: 'decisions' }];
}

/** What is wrong with a reference of a policy in `namespace` that leads to this provider, and what comes of it; undefined: nothing. */
export function providerProblem(
  { name, use }: ProviderReference,
  namespace: string,
  provider: ExtensionProviderSpec | undefined,
): string | undefined {
  if (provider === undefined) {
    const places = [...new Set([namespace, ROOT_NAMESPACE])].join(' or ');
    return `there is no ExtensionProvider ${name} in ${places}: ${OUTCOMES[use]}`;
  }
  return FORMS[use].some((form) => provider[form] !== undefined)
    ? undefined
    : `the ExtensionProvider ${name} ${LACKS[use]}: ${OUTCOMES[use]}`;
}

const FORMS: Readonly<Record<ProviderUse, readonly (keyof ExtensionProviderSpec)[]>> = {
  accessLogging: ['envoyFileAccessLog'],
  tracing: ['opentelemetry', 'zipkin'],
  decisions: ['envoyExtAuthzHttp', 'envoyExtAuthzGrpc'],
};
const LACKS: Readonly<Record<ProviderUse, string>> = {
  accessLogging: 'writes no access log',
  tracing: 'takes no spans',
  decisions: 'decides nothing',
};
const OUTCOMES: Readonly<Record<ProviderUse, string>> = {
  accessLogging: 'nothing is logged there',
  tracing: 'no spans are sent there',
  decisions: 'every request that its rules mean is denied',
};
