/** What a traffic policy must be beyond its shape, as Istio has it. Pure. */
import type { SchemaProblem } from '../../validate-schema.ts';
import type {
  DestinationRuleConnectionPool,
  DestinationRuleLoadBalancer,
  DestinationRuleOutlierDetection,
  DestinationRulePortLevelSettings,
  DestinationRuleTrafficPolicy,
} from '../specs.ts';
import { durationProblems, invalid, rangeProblems, type Steps } from './checks.ts';
import { localityProblems } from './locality-setting.ts';
import { type TlsTarget, tlsProblems } from './upstream-tls.ts';

const COUNT = [0, 0x7fff_ffff] as const;
const PERCENT = [0, 100] as const;
const MOST_RING_SIZE = 8_388_608;
const MOST_TABLE_SIZE = 5_000_011;

/** Every problem of a policy at `steps`. */
export function trafficPolicyProblems(
  steps: Steps,
  policy: DestinationRuleTrafficPolicy | undefined,
  target: TlsTarget,
): readonly SchemaProblem[] {
  if (policy === undefined) return [];
  const ports = policy.portLevelSettings ?? [];
  return [
    ...blockProblems(steps, policy, target),
    ...ports.flatMap((setting, index) => portProblems([...steps, 'portLevelSettings', index], setting, { ports, target })),
    ...percentProblems([...steps, 'retryBudget', 'percent'], policy.retryBudget?.percent),
    ...rangeProblems([...steps, 'retryBudget', 'minRetryConcurrency'], policy.retryBudget?.minRetryConcurrency, COUNT),
    ...(policy.proxyProtocol !== undefined && target === 'mesh'
      ? [invalid([...steps, 'proxyProtocol'], 'is for hosts outside of the mesh: the sidecars of its own services do not expect it')]
      : []),
  ];
}

type Blocks = Pick<DestinationRuleTrafficPolicy, 'connectionPool' | 'loadBalancer' | 'outlierDetection' | 'tls'>;

function blockProblems(steps: Steps, blocks: Blocks, target: TlsTarget): readonly SchemaProblem[] {
  return [
    ...poolProblems([...steps, 'connectionPool'], blocks.connectionPool),
    ...balancerProblems([...steps, 'loadBalancer'], blocks.loadBalancer),
    ...outlierProblems([...steps, 'outlierDetection'], blocks.outlierDetection),
    ...tlsProblems([...steps, 'tls'], blocks.tls, target),
  ];
}

function portProblems(
  steps: Steps,
  setting: DestinationRulePortLevelSettings,
  { ports, target }: { ports: readonly DestinationRulePortLevelSettings[]; target: TlsTarget },
): readonly SchemaProblem[] {
  const number = setting.port?.number;
  const at = [...steps, 'port', 'number'];
  if (number === undefined) return [{ steps: at, code: 'FieldValueRequired', message: 'is required' }];
  const isSecond = ports.find((other) => other.port?.number === number) !== setting;
  return [
    ...rangeProblems(at, number, [1, 65_535]),
    ...(isSecond ? [{ steps: at, code: 'FieldValueDuplicate' as const, message: `there are settings of port ${number} already` }] : []),
    ...blockProblems(steps, setting, target),
  ];
}

/** Every problem of the limits at `steps`. */
export function poolProblems(steps: Steps, pool: DestinationRuleConnectionPool | undefined): readonly SchemaProblem[] {
  const { tcp, http } = pool ?? {};
  const counts: [string, string, number | undefined][] = [
    ['tcp', 'maxConnections', tcp?.maxConnections],
    ['http', 'http1MaxPendingRequests', http?.http1MaxPendingRequests],
    ['http', 'http2MaxRequests', http?.http2MaxRequests],
    ['http', 'maxRequestsPerConnection', http?.maxRequestsPerConnection],
    ['http', 'maxRetries', http?.maxRetries],
    ['http', 'maxConcurrentStreams', http?.maxConcurrentStreams],
  ];
  const times: [string, string, string | undefined][] = [
    ['tcp', 'connectTimeout', tcp?.connectTimeout],
    ['tcp', 'maxConnectionDuration', tcp?.maxConnectionDuration],
    ['tcp', 'idleTimeout', tcp?.idleTimeout],
    ['http', 'idleTimeout', http?.idleTimeout],
  ];
  const keepalive = [...steps, 'tcp', 'tcpKeepalive'];
  const isTorn = http?.useClientProtocol === true && http.h2UpgradePolicy === 'UPGRADE';
  return [
    ...counts.flatMap(([block, name, value]) => rangeProblems([...steps, block, name], value, COUNT)),
    ...times.flatMap(([block, name, value]) => durationProblems([...steps, block, name], value)),
    ...rangeProblems([...keepalive, 'probes'], tcp?.tcpKeepalive?.probes, COUNT),
    ...durationProblems([...keepalive, 'time'], tcp?.tcpKeepalive?.time),
    ...durationProblems([...keepalive, 'interval'], tcp?.tcpKeepalive?.interval),
    ...(isTorn ? [invalid([...steps, 'http', 'useClientProtocol'], 'excludes h2UpgradePolicy UPGRADE: leave one of them out')] : []),
  ];
}

function balancerProblems(steps: Steps, balancer: DestinationRuleLoadBalancer | undefined): readonly SchemaProblem[] {
  if (balancer === undefined) return [];
  const { simple, consistentHash: hash, warmup, warmupDurationSecs } = balancer;
  const isSlow = warmup !== undefined || warmupDurationSecs !== undefined;
  const isEven = hash === undefined && (simple === undefined || !['RANDOM', 'PASSTHROUGH'].includes(simple));
  const table = hash?.maglev?.tableSize;
  return [
    ...(isSlow && !isEven
      ? [invalid([...steps, warmup === undefined ? 'warmupDurationSecs' : 'warmup'], 'needs ROUND_ROBIN or LEAST_REQUEST')]
      : []),
    ...durationProblems([...steps, 'warmup', 'duration'], warmup?.duration),
    ...durationProblems([...steps, 'warmupDurationSecs'], warmupDurationSecs),
    ...percentProblems([...steps, 'warmup', 'minimumPercent'], warmup?.minimumPercent),
    ...(warmup?.aggression !== undefined && warmup.aggression < 1
      ? [invalid([...steps, 'warmup', 'aggression'], 'must be at least 1')]
      : []),
    ...durationProblems([...steps, 'consistentHash', 'httpCookie', 'ttl'], hash?.httpCookie?.ttl),
    ...rangeProblems([...steps, 'consistentHash', 'ringHash', 'minimumRingSize'], hash?.ringHash?.minimumRingSize, [0, MOST_RING_SIZE]),
    ...rangeProblems([...steps, 'consistentHash', 'minimumRingSize'], hash?.minimumRingSize, [0, MOST_RING_SIZE]),
    ...rangeProblems([...steps, 'consistentHash', 'maglev', 'tableSize'], table, [0, MOST_TABLE_SIZE]),
    ...(table !== undefined && table > 0 && !isPrime(table)
      ? [invalid([...steps, 'consistentHash', 'maglev', 'tableSize'], `is ${table}; it must be a prime number such as 65537`)]
      : []),
    ...localityProblems([...steps, 'localityLbSetting'], balancer.localityLbSetting),
  ];
}

function outlierProblems(steps: Steps, rule: DestinationRuleOutlierDetection | undefined): readonly SchemaProblem[] {
  if (rule === undefined) return [];
  const isUnused = rule.splitExternalLocalOriginErrors === false && (rule.consecutiveLocalOriginFailures ?? 0) > 0;
  return [
    ...rangeProblems([...steps, 'consecutive5xxErrors'], rule.consecutive5xxErrors, COUNT),
    ...rangeProblems([...steps, 'consecutiveGatewayErrors'], rule.consecutiveGatewayErrors, COUNT),
    ...rangeProblems([...steps, 'consecutiveLocalOriginFailures'], rule.consecutiveLocalOriginFailures, COUNT),
    ...(isUnused ? [invalid([...steps, 'consecutiveLocalOriginFailures'], 'needs splitExternalLocalOriginErrors')] : []),
    ...durationProblems([...steps, 'interval'], rule.interval),
    ...durationProblems([...steps, 'baseEjectionTime'], rule.baseEjectionTime),
    ...rangeProblems([...steps, 'maxEjectionPercent'], rule.maxEjectionPercent, PERCENT),
    ...rangeProblems([...steps, 'minHealthPercent'], rule.minHealthPercent, PERCENT),
  ];
}

function percentProblems(steps: Steps, value: number | undefined): readonly SchemaProblem[] {
  return value === undefined || (value >= 0 && value <= 100) ? [] : [invalid(steps, `is ${value}; it must be from 0 to 100`)];
}

function isPrime(value: number): boolean {
  for (let factor = 2; factor * factor <= value; factor += 1) if (value % factor === 0) return false;
  return value > 1;
}
