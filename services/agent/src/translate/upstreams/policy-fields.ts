/** The fields of an upstream cluster that a DestinationRule decides, whatever the upstream is; TLS apart. */
import type { ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import { type Init, millis } from '../wire-values.ts';
import { circuitBreakersOf, connectTimeoutMs, type HttpDefaults, httpOptions, keepaliveOf } from './connection-pool.ts';
import { loadBalancing } from './load-balancing.ts';
import { outliersOf, panicPercent } from './outliers.ts';
import type { PolicyBlocks } from './traffic-policy.ts';

type ClusterInit = Init<typeof ClusterSchema>;

/** What holds where the rule is silent. */
export interface UpstreamDefaults {
  readonly connectMs: number;
  /** Of HTTP; undefined for an upstream of TCP. */
  readonly http: HttpDefaults | undefined;
}

/** The fields for these blocks. Without blocks they are made of shared messages alone. */
export function policyFields(blocks: PolicyBlocks, { connectMs, http }: UpstreamDefaults): ClusterInit {
  const keepalive = keepaliveOf(blocks.connectionPool);
  return {
    connectTimeout: millis(connectTimeoutMs(blocks.connectionPool, connectMs)),
    circuitBreakers: circuitBreakersOf(blocks),
    ...loadBalancing(blocks.loadBalancer),
    commonLbConfig: {
      healthyPanicThreshold: { value: panicPercent(blocks.outlierDetection) },
      localityConfigSpecifier: { case: 'localityWeightedLbConfig', value: {} },
      // Changes of weight and health act at once; Envoy would gather them for 1 s.
      updateMergeWindow: millis(0),
    },
    // Without it, removed hosts keep their traffic while their checks pass (RELIABILITY.md 0.1 F).
    ignoreHealthOnHostRemoval: true,
    outlierDetection: outliersOf(blocks.outlierDetection),
    ...(keepalive === undefined ? {} : { upstreamConnectionOptions: keepalive }),
    ...(http === undefined ? {} : { typedExtensionProtocolOptions: httpOptions(blocks.connectionPool, http) }),
  };
}
