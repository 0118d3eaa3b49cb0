/** Which endpoints are left alone for a while: Hawser's profile, with what a DestinationRule says of it. */
import { create } from '@bufbuild/protobuf';
import { type OutlierDetection, OutlierDetectionSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/outlier_detection_pb.ts';
import { bounded, durationMs } from '../routes/rule-values.ts';
import { type Init, millis } from '../wire-values.ts';
import type { OutlierRule } from './traffic-policy.ts';
import { OUTLIER_DEFAULTS, outlierDetection } from './upstream-defaults.ts';

type OutlierInit = Init<typeof OutlierDetectionSchema>;

/** Below this share of healthy endpoints, health is not looked at (Envoy's panic). */
const DEFAULT_PANIC_PERCENT = 10;

/** As Envoy and Istio have it once the time grows with every ejection. */
const LONGEST_EJECTION_MS = 300_000;

/** The profile; a rule replaces what it names and leaves the rest of ours. */
export function outliersOf(rule: OutlierRule | undefined): OutlierDetection {
  if (rule === undefined) return outlierDetection();
  return create(OutlierDetectionSchema, { ...OUTLIER_DEFAULTS, ...counts(rule), ...times(rule) });
}

/** Percent of endpoints that must be healthy for their health to count. */
export function panicPercent(rule: OutlierRule | undefined): number {
  return bounded(rule?.minHealthPercent, 0, 100) ?? DEFAULT_PANIC_PERCENT;
}

/** A count of 0 switches its kind of failure off. */
function counts(rule: OutlierRule): OutlierInit {
  const fivexx = bounded(rule.consecutive5xxErrors, 0, MOST);
  const gateway = bounded(rule.consecutiveGatewayErrors, 0, MOST);
  const local = bounded(rule.consecutiveLocalOriginFailures, 0, MOST);
  const split = rule.splitExternalLocalOriginErrors;
  const percent = bounded(rule.maxEjectionPercent, 0, 100);
  return {
    ...(fivexx === undefined ? {} : { consecutive5xx: fivexx, enforcingConsecutive5xx: enforced(fivexx) }),
    ...(gateway === undefined ? {} : { consecutiveGatewayFailure: gateway, enforcingConsecutiveGatewayFailure: enforced(gateway) }),
    ...(local === undefined ? {} : { consecutiveLocalOriginFailure: local, enforcingConsecutiveLocalOriginFailure: enforced(local) }),
    ...(typeof split === 'boolean' ? { splitExternalLocalOriginErrors: split } : {}),
    ...(percent === undefined ? {} : { maxEjectionPercent: percent }),
  };
}

function times(rule: OutlierRule): OutlierInit {
  const interval = durationMs(rule.interval);
  const base = durationMs(rule.baseEjectionTime);
  return {
    ...(interval === undefined ? {} : { interval: millis(interval) }),
    ...(base === undefined ? {} : { baseEjectionTime: millis(base), maxEjectionTime: millis(Math.max(base, LONGEST_EJECTION_MS)) }),
  };
}

const MOST = 0xffff_ffff;

function enforced(count: number): number {
  return count > 0 ? 100 : 0;
}
