/** Host names and their wildcards, as Gateways and VirtualServices compare them. Pure. */

/** A host that a server serves, and the namespace whose VirtualServices it takes; `*` for any. */
export interface ServerHost {
  readonly namespace: string;
  readonly host: string;
}

/** Reads `HOST` or `NAMESPACE/HOST`, where `.` is the Gateway's own namespace. */
export function serverHost(text: string, gatewayNamespace: string): ServerHost {
  const slash = text.indexOf('/');
  const namespace = slash < 0 ? '*' : text.slice(0, slash);
  return { namespace: namespace === '.' ? gatewayNamespace : namespace, host: text.slice(slash + 1).toLowerCase() };
}

/** The hosts that a VirtualService's host means at a gateway: a short one is that of a service in its namespace. */
export function wantedHosts(host: string, namespace: string): readonly string[] {
  const lower = host.toLowerCase();
  if (lower === '*' || lower.includes('.')) return [lower];
  return [`${lower}.${namespace}.svc.clusterset.local`, `${lower}.${namespace}.svc.cluster.local`];
}

/** What two hosts have in common: the narrower one; undefined when nothing. */
export function commonHost(a: string, b: string): string | undefined {
  if (a === b || covers(b, a)) return a;
  return covers(a, b) ? b : undefined;
}

/** `*` covers all, `*.example.com` whatever ends so but `example.com` itself. */
export function covers(wide: string, narrow: string): boolean {
  if (wide === '*') return true;
  return wide.startsWith('*.') && narrow.length > wide.length - 1 && narrow.endsWith(wide.slice(1));
}

/** Whether Envoy takes it as a domain and as a server name: a name, `*`, or a name after `*.`. */
export function isHostPattern(host: string): boolean {
  return host === '*' || /^(\*\.)?[a-z0-9_]([-a-z0-9_.]{0,251}[a-z0-9_])?$/.test(host);
}
