/** Names of services: one policy target under several host names (DESIGN.md, local registry and calls). */

/** A service as policy and discovery name it; the same name in every cluster is the same service (MCS namespace sameness). */
export interface ServiceName {
  readonly namespace: string;
  readonly service: string;
}

/** Stands in the place of a service for workloads that no service selects; it is no name that a service can have. */
export const STRAY_SERVICE = '~';

/** `NAMESPACE/SERVICE`: the key of a service in maps. */
export function serviceKey(name: ServiceName): string {
  return `${name.namespace}/${name.service}`;
}

/** Splits a `NAMESPACE/SERVICE` key. */
export function parseServiceKey(key: string): ServiceName {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), service: key.slice(slash + 1) };
}

/** The clusterset-wide host: `SERVICE.NAMESPACE.svc.clusterset.local`. */
export function clustersetHost(name: ServiceName): string {
  return `${name.service}.${name.namespace}.svc.clusterset.local`;
}

/** The host that reaches the own cluster only: `SERVICE.NAMESPACE.svc.cluster.local`. */
export function clusterLocalHost(name: ServiceName): string {
  return `${name.service}.${name.namespace}.svc.cluster.local`;
}

/**
 * Reads the host of a policy written in `namespace`: short (`reviews`), `reviews.bookinfo`, `svc.cluster.local` or
 * `svc.clusterset.local`, all the same target. Undefined for a host that no service can have.
 */
export function parseServiceHost(host: string, namespace: string): ServiceName | undefined {
  const parts = host.split('.');
  if (parts.some((part) => !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(part))) return undefined;
  const [service, inNamespace, ...rest] = parts;
  if (service === undefined) return undefined;
  const suffix = rest.join('.');
  if (inNamespace === undefined) return { namespace, service };
  if (suffix === '' || suffix === 'svc' || suffix === 'svc.cluster.local' || suffix === 'svc.clusterset.local') {
    return { namespace: inNamespace, service };
  }
  return undefined;
}

const HOST = /^(\*|(\*\.)?[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?)*\.?)$/i;

/**
 * The key under which services, and policies for them, are kept: `NAMESPACE/SERVICE` for what a cluster's service can be called;
 * for any other host, wildcards such as `*.example.com` among them, a star in the place of the namespace. Undefined for what is
 * no host name.
 */
export function hostKey(host: string, namespace: string): string | undefined {
  const name = parseServiceHost(host, namespace);
  if (name !== undefined) return serviceKey(name);
  return host.length <= 253 && HOST.test(host) ? `*/${host.toLowerCase().replace(/\.$/, '')}` : undefined;
}
