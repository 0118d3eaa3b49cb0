/** How requests are spread over endpoints: LEAST_REQUEST unless a DestinationRule says otherwise. */
import {
  Cluster_LbPolicy,
  type Cluster_SlowStartConfigSchema,
  type ClusterSchema,
} from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import { bounded, durationMs } from '../routes/rule-values.ts';
import { type Init, millis } from '../wire-values.ts';
import type { ConsistentHash, LoadBalancer } from './traffic-policy.ts';

type ClusterInit = Init<typeof ClusterSchema>;
type LbConfig = NonNullable<ClusterInit['lbConfig']>;
type SlowStart = Init<typeof Cluster_SlowStartConfigSchema>;

/** Istio's and Envoy's least number of places on the ring, and Envoy's bounds. */
const RING_SIZE = 1_024;
const MOST_RING_SIZE = 8_388_608;
const MOST_TABLE_SIZE = 5_000_011;
/** Istio's share of its fair part that an endpoint begins with. */
const WARMUP_PERCENT = 10;

/** Policy and settings of the load balancer. */
export function loadBalancing(rule: LoadBalancer | undefined): Pick<ClusterInit, 'lbPolicy' | 'lbConfig'> {
  if (isPassthrough(rule)) return { lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED };
  if (rule?.consistentHash !== undefined) return hashing(rule.consistentHash);
  if (rule?.simple === 'RANDOM') return { lbPolicy: Cluster_LbPolicy.RANDOM };
  const slowStart = slowStartOf(rule);
  const isRoundRobin = rule?.simple === 'ROUND_ROBIN';
  const lbPolicy = isRoundRobin ? Cluster_LbPolicy.ROUND_ROBIN : Cluster_LbPolicy.LEAST_REQUEST;
  if (slowStart === undefined) return { lbPolicy };
  const value = { slowStartConfig: slowStart };
  const lbConfig: LbConfig = isRoundRobin ? { case: 'roundRobinLbConfig', value } : { case: 'leastRequestLbConfig', value };
  return { lbPolicy, lbConfig };
}

/** Whether requests go where the caller's connection was meant for, and nothing is chosen. */
export function isPassthrough(rule: LoadBalancer | undefined): boolean {
  return rule?.simple === 'PASSTHROUGH';
}

/** A ring, unless Maglev is asked for; the older `minimumRingSize` counts where `ringHash` says nothing. */
function hashing({ maglev, ringHash, minimumRingSize }: ConsistentHash): Pick<ClusterInit, 'lbPolicy' | 'lbConfig'> {
  if (maglev !== undefined && ringHash === undefined) {
    const size = bounded(maglev.tableSize, 0, MOST_TABLE_SIZE) ?? 0;
    const value = size === 0 ? {} : { tableSize: BigInt(primeFrom(size)) };
    return { lbPolicy: Cluster_LbPolicy.MAGLEV, lbConfig: { case: 'maglevLbConfig', value } };
  }
  const asked = bounded(ringHash?.minimumRingSize ?? minimumRingSize, 0, MOST_RING_SIZE) ?? 0;
  const value = { minimumRingSize: BigInt(asked === 0 ? RING_SIZE : asked) };
  return { lbPolicy: Cluster_LbPolicy.RING_HASH, lbConfig: { case: 'ringHashLbConfig', value } };
}

/** Envoy takes prime sizes alone. */
function primeFrom(size: number): number {
  for (let candidate = Math.max(2, size); candidate < MOST_TABLE_SIZE; candidate += 1) if (isPrime(candidate)) return candidate;
  return MOST_TABLE_SIZE;
}

/** Whether a number is prime. */
export function isPrime(size: number): boolean {
  if (size < 2) return false;
  for (let factor = 2; factor * factor <= size; factor += 1) if (size % factor === 0) return false;
  return true;
}

function slowStartOf(rule: LoadBalancer | undefined): SlowStart | undefined {
  const window = durationMs(rule?.warmup?.duration ?? rule?.warmupDurationSecs);
  if (window === undefined) return undefined;
  const { aggression, minimumPercent } = rule?.warmup ?? {};
  const least = typeof minimumPercent === 'number' && minimumPercent >= 0 && minimumPercent <= 100 ? minimumPercent : WARMUP_PERCENT;
  const isFaster = typeof aggression === 'number' && aggression >= 1;
  return {
    slowStartWindow: millis(window),
    minWeightPercent: { value: least },
    // A runtime key is required; nobody sets this one.
    ...(isFaster ? { aggression: { defaultValue: aggression, runtimeKey: 'hawser.warmup.aggression' } } : {}),
  };
}
