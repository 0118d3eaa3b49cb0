/** Retries: what is safe to repeat is repeated at another priority; what is not, only when it certainly was never sent. */
import { parseDuration } from '@hawser/model/duration.ts';
import type { VirtualServiceHttp, VirtualServiceRetries } from '@hawser/model/istio/specs.ts';
import type { RetryPolicySchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { PreviousHostsPredicateSchema } from '@hawser/xds/generated/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts';
import { PreviousPrioritiesConfigSchema } from '@hawser/xds/generated/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.ts';
import { extension, type Init, millis } from '../wire-values.ts';

type RetryPolicyInit = Init<typeof RetryPolicySchema>;

/** Set by a server's sidecar on its own answer when the application was never reached; stripped from applications' answers. */
export const UNSENT_HEADER = 'x-hawser-unsent';

/** Methods that may be repeated (RFC 9110 section 9.2.1, of which these are proxied). */
export const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'] as const;

const SAFE_RETRY_ON = ['gateway-error', 'connect-failure', 'refused-stream', 'reset'];
/** Measured with Envoy 1.40: none of these lets a request reach the application twice (docs/decisions/0004-data-path.md). */
const UNSENT_RETRY_ON = ['connect-failure', 'refused-stream', 'reset-before-request', 'retriable-headers'];

const DEFAULT_ATTEMPTS = 2;
/** A safe request that got no answer at all is tried elsewhere after this long; a slow answer that began may go on. */
const DEFAULT_PER_TRY_MS = 15_000;

/** The policy of requests with a safe method. Undefined: no retries. */
export function safeRetries(rule?: VirtualServiceHttp): RetryPolicyInit | undefined {
  const asked = rule?.retries?.retryOn ?? '';
  const retryOn = asked === '' ? { conditions: SAFE_RETRY_ON, codes: [] } : parseRetryOn(asked);
  return policy(retryOn.conditions, retryOn.codes, rule?.retries ?? {});
}

/** The policy of any other request; `retryOn` of a rule that is for such methods alone is an explicit wish, else it is not obeyed here. */
export function unsafeRetries(rule: VirtualServiceHttp | undefined, explicit: boolean): RetryPolicyInit | undefined {
  const asked = (explicit ? rule?.retries?.retryOn : undefined) ?? '';
  if (asked === '') return policy(UNSENT_RETRY_ON, [], rule?.retries ?? {});
  const retryOn = parseRetryOn(asked);
  return policy(retryOn.conditions, retryOn.codes, rule?.retries ?? {});
}

/** Milliseconds a try may take until its answer begins, 0 for ever. A rule's own timeout takes the place of the default. */
export function perTryMs(rule: VirtualServiceHttp | undefined, fallbackMs: number): number {
  const asked = parseDuration(rule?.retries?.perTryTimeout ?? '');
  if (asked !== undefined) return asked;
  return rule?.timeout === undefined ? fallbackMs : 0;
}

/** The policy with the time limit of safe requests. */
export function withPerTry(retry: RetryPolicyInit | undefined, ms: number): RetryPolicyInit | undefined {
  return retry === undefined || ms === 0 ? retry : { ...retry, perTryTimeout: millis(ms) };
}

export { DEFAULT_PER_TRY_MS };

function policy(conditions: readonly string[], codes: readonly number[], asked: VirtualServiceRetries): RetryPolicyInit | undefined {
  const attempts = asked.attempts ?? DEFAULT_ATTEMPTS;
  if (attempts === 0) return undefined;
  return {
    retryOn: conditions.join(','),
    numRetries: attempts,
    retriableStatusCodes: [...codes],
    retriableHeaders: conditions.includes('retriable-headers')
      ? [{ name: UNSENT_HEADER, headerMatchSpecifier: { case: 'presentMatch', value: true } }]
      : [],
    ...whereTo(asked),
    retryBackOff: backOff(asked.backoff),
  };
}

/** A retry goes to another host at another priority, unless the rule says to stay. */
function whereTo({ retryRemoteLocalities, retryIgnorePreviousHosts }: VirtualServiceRetries): RetryPolicyInit {
  return {
    // Without it a retry goes to the dead priority again (RELIABILITY.md 0.2).
    ...(retryRemoteLocalities === false ? {} : { retryPriority: OTHER_PRIORITY }),
    ...(retryIgnorePreviousHosts === false ? {} : { retryHostPredicate: [OTHER_HOST] }),
    hostSelectionRetryMaxAttempts: 5n,
  };
}

const OTHER_PRIORITY = extension('envoy.retry_priorities.previous_priorities', PreviousPrioritiesConfigSchema, { updateFrequency: 1 });
const OTHER_HOST = extension('envoy.retry_host_predicates.previous_hosts', PreviousHostsPredicateSchema, {});

/** Exponential with full jitter (Envoy): up to ten times the least. */
function backOff(least: string | undefined): NonNullable<RetryPolicyInit['retryBackOff']> {
  const ms = Math.max(1, parseDuration(least ?? '') ?? 10);
  return { baseInterval: millis(ms), maxInterval: millis(ms * 10) };
}

/** Istio's `retryOn`: Envoy's conditions, and status codes as numbers. */
function parseRetryOn(text: string): { conditions: string[]; codes: number[] } {
  const words = text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => /^[a-z0-9-]+$/.test(word));
  const codes = words.filter((word) => /^[1-5][0-9][0-9]$/.test(word)).map(Number);
  const conditions = words.filter((word) => !/^[0-9]+$/.test(word));
  return { conditions: codes.length > 0 ? [...new Set([...conditions, 'retriable-status-codes'])] : conditions, codes };
}
