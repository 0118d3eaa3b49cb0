/** The part of a DestinationRule that says how to call a service, and which of it holds for one port and subset. Pure. */
import type {
  DestinationRuleConnectionPool as ConnectionPool,
  DestinationRuleConsistentHash as ConsistentHash,
  DestinationRuleLoadBalancer as LoadBalancer,
  DestinationRuleOutlierDetection as OutlierRule,
  DestinationRuleTls as TlsRule,
  DestinationRuleTrafficPolicy as TrafficPolicy,
} from '@hawser/model/istio/specs.ts';

export type { ConnectionPool, ConsistentHash, LoadBalancer, OutlierRule, TlsRule, TrafficPolicy };

/** The blocks of a policy that hold for one port of one subset. */
export type PolicyBlocks = Partial<Pick<TrafficPolicy, (typeof BLOCKS)[number]>>;

/** Blocks that a port may have of its own: there it has none of the others, set or not (Istio: port level does not inherit). */
const PORT_BLOCKS = ['connectionPool', 'loadBalancer', 'outlierDetection', 'tls'] as const;
const BLOCKS = [...PORT_BLOCKS, 'proxyProtocol', 'retryBudget'] as const;

const NONE: PolicyBlocks = {};

/** What holds at a port: the service's policy, its blocks replaced by those that the subset's has; the port's own in both. */
export function blocksAt(port: number, service: TrafficPolicy | undefined, subset?: TrafficPolicy | undefined): PolicyBlocks {
  return over(over(NONE, service, port), subset, port);
}

function over(base: PolicyBlocks, policy: TrafficPolicy | undefined, port: number): PolicyBlocks {
  if (policy === undefined) return base;
  const merged = picked(BLOCKS, policy, base);
  const own = policy.portLevelSettings?.find((setting) => setting.port?.number === port);
  return own === undefined ? merged : { ...picked(['proxyProtocol', 'retryBudget'], merged), ...picked(PORT_BLOCKS, own) };
}

function picked(names: readonly (typeof BLOCKS)[number][], from: PolicyBlocks, base: PolicyBlocks = NONE): PolicyBlocks {
  const found = names.filter((name) => from[name] !== undefined && from[name] !== null);
  return found.length === 0 ? base : { ...base, ...Object.fromEntries(found.map((name) => [name, from[name]])) };
}
