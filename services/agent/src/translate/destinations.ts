/** Where a rule's destination leads, or why nowhere. */
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import type { HttpRouteSpec } from '@hawser/model/kind-specs.ts';
import { parseServiceHost, serviceKey } from '@hawser/model/service-host.ts';
import { upstreamName } from './names.ts';
import type { HttpRule } from './policy-index.ts';
import type { HostView, ServiceView } from './service-view.ts';

/** An upstream cluster, or the reason why there is none, for whoever gets the 503. */
export type Destination = { readonly state: 'there'; readonly cluster: string } | { readonly state: 'missing'; readonly reason: string };

/** Finds the view of a service by its key. */
export type ServiceLookup = (key: string) => ServiceView | undefined;

/** The virtual host that a rule is read for. */
export interface RuleContext {
  readonly namespace: string;
  readonly host: HostView;
  readonly port: ServicePort;
}

type DestinationSpec = HttpRouteSpec['route'][number]['destination'];

/** Resolves a destination in the scope of the calling host: `cluster.local` never leaves the own cluster. */
export function destinationOf(spec: DestinationSpec, context: RuleContext, lookup: ServiceLookup): Destination {
  const name = parseServiceHost(spec.host, context.namespace);
  const view = name === undefined ? undefined : lookup(serviceKey(name));
  const host = view?.hosts.find((candidate) => candidate.scope === context.host.scope);
  if (view === undefined || host === undefined) return missing(`no service answers to the destination host ${spec.host}`);
  const port = portOf(spec, host, context.port.port);
  if (port === undefined) return missing(`${host.host} has no HTTP port ${spec.port?.number ?? context.port.port}`);
  const subset = spec.subset ?? '';
  if (subset !== '' && !view.subsets.some((candidate) => candidate.name === subset)) {
    return missing(`no DestinationRule of ${host.host} has a subset ${subset}`);
  }
  return { state: 'there', cluster: upstreamName(port, subset, host.host) };
}

/** Services that a service's rules lead to, itself left out. */
export function foreignDestinations(rules: readonly HttpRule[], own: string): ReadonlySet<string> {
  const names = rules.flatMap(({ namespace, rule }) => rule.route.map(({ destination }) => parseServiceHost(destination.host, namespace)));
  const keys = new Set(names.filter((name) => name !== undefined).map(serviceKey));
  keys.delete(own);
  return keys;
}

/** The port asked for, else the caller's, else the only one there is. */
function portOf(spec: DestinationSpec, host: HostView, callers: number): number | undefined {
  const ports = host.ports.filter((port) => port.protocol !== 'tcp').map((port) => port.port);
  const wanted = spec.port?.number ?? callers;
  if (ports.includes(wanted)) return wanted;
  return spec.port === undefined && ports.length === 1 ? ports[0] : undefined;
}

function missing(reason: string): Destination {
  return { state: 'missing', reason: `hawser: ${reason}` };
}
