/** Where a rule's destination leads, or why nowhere. */
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import type { Destination as DestinationSpec } from '@hawser/model/istio/specs.ts';
import { hostKey } from '@hawser/model/service-host.ts';
import { upstreamName } from '../names.ts';
import type { HostView, ServiceView } from '../services/service-view.ts';

/** An upstream cluster, or the reason why there is none, for whoever gets the 503. */
export type Destination = { readonly state: 'there'; readonly cluster: string } | { readonly state: 'missing'; readonly reason: string };

/** Finds the view of a service by its key. */
export type ServiceLookup = (key: string) => ServiceView | undefined;

/** The place that a destination is read for. */
export interface DestinationContext {
  /** Namespace of the rule. */
  readonly namespace: string;
  /** Scope of the calling host: undefined for hosts that no service has. */
  readonly scope: HostView['scope'] | undefined;
  /** The caller's port: taken unless the destination names one. */
  readonly port: number;
  /** Whether a port can be led to. */
  readonly takes: (port: ServicePort) => boolean;
}

/** Ports of HTTP. */
export function isHttpPort(port: ServicePort): boolean {
  return port.protocol !== 'tcp';
}

/** Resolves a destination in the scope of the calling host: `cluster.local` never leaves the own cluster. */
export function destinationOf(spec: DestinationSpec, context: DestinationContext, lookup: ServiceLookup): Destination {
  const key = hostKey(spec.host, context.namespace);
  const view = key === undefined ? undefined : lookup(key);
  const host = view === undefined ? undefined : hostInScope(view.hosts, context.scope);
  if (view === undefined || host === undefined) return missing(`no service answers to the destination host ${spec.host}`);
  const port = portOf(spec, host, context);
  if (port === undefined) return missing(`${host.host} has no ${kindOf(context)} port ${spec.port?.number ?? context.port}`);
  const subset = spec.subset ?? '';
  if (subset !== '' && !view.subsets.some((candidate) => candidate.name === subset)) {
    return missing(`no DestinationRule of ${host.host} has a subset ${subset}`);
  }
  return { state: 'there', cluster: upstreamName(port, subset, host.host) };
}

/** The host of the caller's scope; for callers that have none, and for services that do not know it, the one that short names mean. */
function hostInScope(hosts: readonly HostView[], scope: HostView['scope'] | undefined): HostView | undefined {
  const same = hosts.find((candidate) => candidate.scope === scope);
  if (same !== undefined) return same;
  const isFree = scope !== 'local' && scope !== 'clusterset';
  const other = hosts.find((candidate) => candidate.scope !== 'local' && candidate.scope !== 'clusterset');
  return isFree ? (hosts.find((candidate) => candidate.short) ?? hosts[0]) : other;
}

/** The port asked for, else the caller's, else the only one there is. */
function portOf(spec: DestinationSpec, host: HostView, context: DestinationContext): number | undefined {
  const asked = spec.port?.number;
  // HTTP that leaves the mesh is led to an HTTPS port by its number; a DestinationRule makes the TLS (Istio's TLS origination).
  const isOriginated = ({ port, application }: ServicePort): boolean =>
    port === asked && application === 'tls' && host.scope === 'external' && context.takes === isHttpPort;
  const ports = host.ports.filter((port) => context.takes(port) || isOriginated(port)).map((port) => port.port);
  const wanted = asked ?? context.port;
  if (ports.includes(wanted)) return wanted;
  return asked === undefined && ports.length === 1 ? ports[0] : undefined;
}

function kindOf(context: DestinationContext): string {
  return context.takes === isHttpPort ? 'HTTP' : 'TCP';
}

function missing(reason: string): Destination {
  return { state: 'missing', reason: `hawser: ${reason}` };
}
