/** Fields that Istio removed or deprecated, and what took their place. */

/** One of them. */
export interface Replacement {
  readonly kind: string;
  /** Its path below the spec, lists passed through. */
  readonly field: RegExp;
  /** Where one value of the field is meant alone. */
  readonly value?: string;
  /** A clause without a full stop. */
  readonly why: string;
  readonly fix: string;
}

const VS = 'VirtualService';
const DR = 'DestinationRule';

/** By kind; the order is that of the reference. */
export const REPLACEMENTS: readonly Replacement[] = [
  to(VS, /^http\.mirror_percent$/, 'mirror_percent', 'mirrorPercentage.value'),
  to(VS, /^http\.mirrorPercent$/, 'mirrorPercent', 'mirrorPercentage.value'),
  {
    kind: VS,
    field: /^http\.corsPolicy\.allowOrigin$/,
    why: 'allowOrigin was removed',
    fix: 'write allowOrigins, a list of {exact: ORIGIN}',
  },
  to(VS, /^http\.fault\.(delay|abort)\.percent$/, 'percent', 'percentage.value'),
  to(VS, /^http(\.route)?\.appendRequestHeaders$/, 'appendRequestHeaders', 'headers.request.add'),
  to(VS, /^http(\.route)?\.removeRequestHeaders$/, 'removeRequestHeaders', 'headers.request.remove'),
  to(VS, /^http(\.route)?\.appendResponseHeaders$/, 'appendResponseHeaders', 'headers.response.add'),
  to(VS, /^http(\.route)?\.removeResponseHeaders$/, 'removeResponseHeaders', 'headers.response.remove'),
  to(VS, /^http(\.route)?\.appendHeaders$/, 'appendHeaders', 'headers.request.add'),
  { kind: VS, field: /^http\.websocketUpgrade$/, why: 'websocketUpgrade was removed: WebSocket works without it', fix: 'take it out' },
  to(DR, /outlierDetection\.consecutiveErrors$/, 'consecutiveErrors', 'outlierDetection.consecutive5xxErrors'),
  to(DR, /outlierDetection\.http\.consecutiveErrors$/, 'outlierDetection.http', 'outlierDetection.consecutive5xxErrors'),
  { kind: DR, field: /loadBalancer\.simple$/, value: 'LEAST_CONN', why: 'LEAST_CONN is deprecated', fix: 'write LEAST_REQUEST' },
  to(DR, /loadBalancer\.warmupDurationSecs$/, 'warmupDurationSecs', 'warmup.duration'),
  to(DR, /consistentHash\.minimumRingSize$/, 'consistentHash.minimumRingSize', 'consistentHash.ringHash.minimumRingSize'),
];

function to(kind: string, field: RegExp, old: string, now: string): Replacement {
  return { kind, field, why: `${old} was removed or is deprecated`, fix: `write ${now}` };
}
