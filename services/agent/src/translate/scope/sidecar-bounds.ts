/** What Sidecars say of a caller: which services it may call, what happens with calls of others, and what it takes in itself. Pure. */
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import type { Destination, SidecarEgress, SidecarInboundConnectionPool, SidecarIngress, SidecarSpec } from '@hawser/model/istio/specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { hostKey } from '@hawser/model/service-host.ts';
import type { Elsewhere } from '../capture/capture-listener.ts';
import { protocolOf } from '../istio-protocol.ts';
import { policyKeyOf } from '../policy-tables.ts';
import { hostNames } from '../routes/routes.ts';
import type { ServiceView } from '../services/service-view.ts';

/** The Sidecars of one caller as one. */
export interface SidecarBounds {
  /** Key of the nearest Sidecar. */
  readonly policy: string;
  /** Undefined: everything may be called. */
  readonly egress: readonly EgressBounds[] | undefined;
  readonly elsewhere: Elsewhere | undefined;
  /** Takes what goes elsewhere; its host is read in `namespace`. */
  readonly egressProxy: Destination | undefined;
  readonly namespace: string;
  readonly ingress: readonly SidecarIngress[];
  readonly inboundConnectionPool: SidecarInboundConnectionPool | undefined;
}

/** One listener of what may be called. */
export interface EgressBounds {
  /** The port it is for; undefined for all that no other is for. */
  readonly port: number | undefined;
  /** Whether it is for HTTP or for connections; undefined for both. */
  readonly protocol: 'http' | 'tcp' | undefined;
  readonly hosts: readonly ImportedHost[];
  readonly listener: SidecarEgress;
}

/** `NAMESPACE/HOST` of an egress listener. */
export interface ImportedHost {
  /** `*` for all of them. */
  readonly namespace: string;
  /** `*` for all, `.SUFFIX` for all that end so, else a key of `hostKey`. */
  readonly host: string;
}

/** A service, as far as bounds look at it. */
export interface BoundedService {
  readonly key: string;
  /** Whose it is; a ServiceEntry's is not in its key. */
  readonly namespace: string;
  /** Names by which it is called in full. */
  readonly names: readonly string[];
}

/** A service as bounds look at it. */
export function boundedService({ key, name, hosts }: ServiceView): BoundedService {
  return { key, namespace: name.namespace, names: hosts.length === 0 ? hostNames(key) : hosts.map(({ host }) => host) };
}

/** Whether what VirtualServices of a namespace say of a service reaches the caller: they are let in from there, as services are (Istio). */
export function importsRules({ egress }: SidecarBounds, service: BoundedService, namespace: string): boolean {
  const owned = { ...service, namespace };
  return egress === undefined || egress.some(({ hosts }) => hosts.some((host) => isMeant(host, owned)));
}

/** Joins the Sidecars that hold for a caller of `namespace`, the nearest first; undefined without any. */
export function boundsOf(sidecars: readonly Resource[], namespace: string): SidecarBounds | undefined {
  const [nearest] = sidecars;
  if (nearest === undefined) return undefined;
  const specs = sidecars.map(({ spec }) => spec as SidecarSpec);
  const first = specs[0];
  const outbound = specs.find((spec) => spec.outboundTrafficPolicy !== undefined)?.outboundTrafficPolicy;
  const egress = specs.find((spec) => (spec.egress ?? []).length > 0)?.egress?.map((listener) => egressBounds(listener, namespace));
  const isOpen =
    egress === undefined || (egress.length === 1 && egress[0]?.port === undefined && egress[0]?.hosts.some(isEverything) === true);
  return {
    policy: policyKeyOf(nearest),
    egress: isOpen && egress?.[0]?.listener.captureMode !== 'NONE' ? undefined : egress,
    // The first of Istio's enumeration is what a policy without a mode means.
    elsewhere: outbound === undefined ? undefined : (outbound.mode ?? 'REGISTRY_ONLY'),
    egressProxy: outbound?.egressProxy,
    namespace,
    ingress: first?.ingress ?? [],
    inboundConnectionPool: specs.find((spec) => spec.inboundConnectionPool !== undefined)?.inboundConnectionPool,
  };
}

function egressBounds(listener: SidecarEgress, namespace: string): EgressBounds {
  const { number = 0, protocol: word = '' } = listener.port ?? {};
  const port = number === 0 ? undefined : number;
  const protocol = word === '' ? undefined : protocolOf({ protocol: word }).protocol === 'tcp' ? 'tcp' : 'http';
  return { port, protocol, hosts: listener.hosts.flatMap((host) => importedHost(host, namespace)), listener };
}

/** `./*`, `ns/host`, an asterisk for all namespaces; `~` imports nothing. A name of a service may have any of its spellings. */
function importedHost(text: string, own: string): ImportedHost[] {
  const slash = text.indexOf('/');
  const [scope, name] = slash < 0 ? ['*', text] : [text.slice(0, slash), text.slice(slash + 1)];
  if (scope === '~') return [];
  const namespace = scope === '.' ? own : scope;
  if (name === '*') return [{ namespace, host: '*' }];
  if (name.startsWith('*.')) return [{ namespace, host: name.slice(1) }];
  const key = hostKey(name, namespace);
  return key === undefined ? [] : [{ namespace, host: key }];
}

function isEverything({ namespace, host }: ImportedHost): boolean {
  return namespace === '*' && host === '*';
}

/**
 * Whether a caller may call a port of a service. A listener for a port takes that port from the one for all others, and carries its
 * protocol alone; what comes to a Unix domain socket is nothing that is called by address.
 */
export function imports(bounds: SidecarBounds, service: BoundedService, port: ServicePort): boolean {
  return bounds.egress === undefined || decidingFor(bounds.egress, port).some((listener) => takes(listener, service, port));
}

/** Whether connections that the kernel led to the sidecar may go to a port of a service: not by a listener of `captureMode` NONE. */
export function importsCaptured(bounds: SidecarBounds, service: BoundedService, port: ServicePort): boolean {
  const deciding = decidingFor(bounds.egress ?? [], port).filter(({ listener }) => listener.captureMode !== 'NONE');
  return bounds.egress === undefined || deciding.some((listener) => takes(listener, service, port));
}

function decidingFor(egress: readonly EgressBounds[], { port }: ServicePort): readonly EgressBounds[] {
  const addressed = egress.filter(({ listener }) => !isUnixBind(listener.bind));
  const own = addressed.filter((listener) => listener.port === port);
  return own.length > 0 ? own : addressed.filter((listener) => listener.port === undefined);
}

function takes(listener: EgressBounds, service: BoundedService, port: ServicePort): boolean {
  return carries(listener, port) && listener.hosts.some((host) => isMeant(host, service));
}

/** Whether a `bind` is a Unix domain socket. */
export function isUnixBind(bind: string | undefined): boolean {
  return bind?.startsWith('unix://') === true;
}

/** A port of which nobody said what it speaks is for either. */
function carries({ protocol }: EgressBounds, port: ServicePort): boolean {
  return protocol === undefined || port.application === 'auto' || (protocol === 'tcp') === (port.protocol === 'tcp');
}

/** Whether an entry of `hosts` means a service. */
export function isMeant({ namespace, host }: ImportedHost, service: BoundedService): boolean {
  if (namespace !== '*' && namespace !== service.namespace) return false;
  if (host === '*' || host === service.key) return true;
  return host.startsWith('.') && service.names.some((name) => name.endsWith(host));
}
