/** Where connections go that are not HTTP: `tcp` and `tls` rules of VirtualServices for one port of one host. Pure. */
import { isAddressRange } from '@hawser/model/address-range.ts';
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import type { VirtualServiceTcpRoute } from '@hawser/model/istio/specs.ts';
import { UNAVAILABLE_CLUSTER } from '../names.ts';
import { type Caller, dependsOnScope, isBound, isFor, isRestricted, isVisible } from './caller.ts';
import { destinationOf } from './destinations.ts';
import type { RoutePlace } from './http-routes.ts';
import type { ConnectionMatch, ConnectionRule } from './virtual-service-rules.ts';

/** An upstream cluster and its part of the connections. */
export interface WeightedUpstream {
  readonly name: string;
  readonly weight: number;
}

/** Connections of one kind; without any condition all that no other kind takes. */
export interface ConnectionRoute {
  /** Server names of TLS, wildcards such as `*.example.com` among them. */
  readonly serverNames?: readonly string[];
  /** Address ranges that connections go to, or come from. */
  readonly destinations?: readonly string[];
  readonly sources?: readonly string[];
  readonly clusters: readonly WeightedUpstream[];
}

/** Ports of connections that are not HTTP. */
export function isTcpPort(port: ServicePort): boolean {
  return port.protocol === 'tcp';
}

/**
 * The routes of the rules that are for this caller and port. Envoy takes the most specific condition, and of equal ones there may be
 * only one: the first, of the oldest VirtualService.
 */
export function connectionRoutes(rules: readonly ConnectionRule[], place: RoutePlace): ConnectionRoute[] {
  const found = new Map<string, ConnectionRoute>();
  for (const rule of rulesFor(rules, place.caller)) {
    const ours = rule.matches.filter((match) => isFor(match, rule.owner, place.caller) && isAt(match, place.port));
    const clusters = ours.length === 0 ? [] : clustersOf(rule, place);
    for (const match of ours) {
      const conditions = conditionsOf(match, rule, place);
      const key = JSON.stringify(conditions);
      if (!found.has(key)) found.set(key, { ...conditions, clusters });
    }
  }
  return [...found.values()];
}

/** Whether routes of these rules differ between callers of one gateway. */
export function connectionsDependOnScope(rules: readonly ConnectionRule[]): boolean {
  return rules.some(({ owner, matches }) => isRestricted(owner) || matches.some(dependsOnScope));
}

/** Of the rules that a caller sees, those of the most specific host that is for its gateway. */
function rulesFor(rules: readonly ConnectionRule[], caller: Caller): ConnectionRule[] {
  const visible = rules.filter(({ owner, matches }) => isVisible(owner, caller) && isBound(owner, matches, caller));
  const most = visible.reduce((rank, rule) => Math.max(rank, rule.rank), 0);
  return visible.filter(({ rank }) => rank === most);
}

function isAt({ port }: ConnectionMatch, called: number): boolean {
  return port === undefined || port === 0 || port === called;
}

function conditionsOf(match: ConnectionMatch, rule: ConnectionRule, place: RoutePlace): Omit<ConnectionRoute, 'clusters'> {
  const { sniHosts = [], destinationSubnets = [], sourceSubnet = '' } = match;
  const names = [...new Set(sniHosts.map((name) => name.toLowerCase()))].filter((name) => name !== '*');
  const ranges = (field: string, texts: readonly string[]): string[] =>
    texts.filter((text) => {
      if (!isAddressRange(text))
        place.report?.(rule.policy, `${rule.field}.match`, `${field} has ${JSON.stringify(text)}, which is no range of addresses`);
      return isAddressRange(text);
    });
  const destinations = ranges('destinationSubnets', destinationSubnets);
  const sources = ranges('sourceSubnet', sourceSubnet === '' ? [] : [sourceSubnet]);
  return {
    ...(names.length === 0 ? {} : { serverNames: names }),
    ...(destinations.length === 0 ? {} : { destinations }),
    ...(sources.length === 0 ? {} : { sources }),
  };
}

/** What leads nowhere is closed at once, its share of a split too. */
function clustersOf({ policy, field, namespace, route }: ConnectionRule, place: RoutePlace): WeightedUpstream[] {
  const context = { namespace, scope: place.scope, port: place.port, takes: isTcpPort };
  const targets = route.map((one: VirtualServiceTcpRoute, index) => {
    const found = destinationOf(one.destination, context, place.lookup);
    if (found.state === 'missing') {
      const reason = found.reason.replace(/^hawser: /, '');
      place.report?.(policy, `${field}.route[${index}].destination`, `${reason}: connections to it are closed`);
    }
    const weight = one.weight ?? (route.length === 1 ? 100 : 0);
    return { name: found.state === 'there' ? found.cluster : UNAVAILABLE_CLUSTER, weight };
  });
  const total = targets.reduce((sum, { weight }) => sum + weight, 0);
  const parts = total === 0 ? targets.map((target) => ({ ...target, weight: 1 })) : targets.filter(({ weight }) => weight > 0);
  return parts.length > 0 ? parts : [{ name: UNAVAILABLE_CLUSTER, weight: 1 }];
}
