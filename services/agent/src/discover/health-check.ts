/** How the endpoints of a registry are checked, and what of them. Pure. */
import type { Endpoint, EndpointHealth } from '@hawser/model/endpoint-shard.ts';
import type { WorkloadEntryObject } from './registry-kinds.ts';

/** How an endpoint's health is found out, from `hawser.dev/health-check`; TCP connects unless said otherwise, to its own ports. */
export type HealthCheck =
  | { readonly kind: 'tcp'; readonly port?: number }
  | { readonly kind: 'http'; readonly path: string; readonly port?: number }
  | { readonly kind: 'none' };

/** A port of a workload that has to answer. */
export interface CheckTarget {
  readonly address: string;
  readonly port: number;
  readonly check: HealthCheck;
  /** Whether there is no sidecar to be checked beside it. */
  readonly bare?: true;
}

/** What checks and drains know of the endpoint at an address; undefined: nothing against it. */
export type HealthOf = (address: string, ports: readonly number[]) => EndpointHealth | undefined;

/** The annotation of a Service or WorkloadEntry that says how its endpoints are checked: `tcp[:PORT]`, `http:[PORT]/path` or `none`. */
export const HEALTH_CHECK_ANNOTATION = 'hawser.dev/health-check';

/** Reads the annotation; undefined when it is not there, or is none. */
export function healthCheckOf(annotations: Readonly<Record<string, string>> | undefined): HealthCheck | undefined {
  const text = annotations?.[HEALTH_CHECK_ANNOTATION];
  if (text === undefined) return undefined;
  if (text === 'none') return { kind: 'none' };
  const [, kind, digits, path] = /^(tcp|http)(?::([0-9]{1,5})?(\/.*)?)?$/.exec(text) ?? [];
  const port = digits === undefined ? {} : { port: Number(digits) };
  if (kind === 'tcp' && path === undefined && !text.endsWith(':')) return { kind: 'tcp', ...port };
  return kind === 'http' && path !== undefined ? { kind: 'http', path, ...port } : undefined;
}

/** Ports that have to answer: the endpoint's own, and the one that the check names. */
export function checkPorts(ports: readonly number[], check: HealthCheck): readonly number[] {
  if (check.kind === 'none' || check.port === undefined || ports.includes(check.port)) return ports;
  return [...ports, check.port];
}

/** What is checked of an endpoint. What answers HTTP is the port that the check names, else its first; others only have to accept connections. */
export function checkTargets(address: string, ports: readonly number[], check: HealthCheck): readonly CheckTarget[] {
  if (check.kind === 'none') return [];
  const all = checkPorts(ports, check);
  const judged = check.port ?? all[0];
  return all.map((port) => ({ address, port, check: port === judged ? check : { kind: 'tcp' } }));
}

/** A zone, if there is one. */
export function zoneOf(zone: string | undefined): { zone?: string } {
  return zone === undefined || zone === '' ? {} : { zone };
}

/** The network of an entry that is not in its cluster's, of which everything is that says nothing. */
export function networkOf({ spec }: WorkloadEntryObject, own: string | undefined): { network?: string } {
  return spec.network === undefined || spec.network === '' || spec.network === own ? {} : { network: spec.network };
}

/** What a WorkloadEntry says of itself: Istio's condition `Healthy`, by the probe of its WorkloadGroup. */
export function readinessOf({ status }: WorkloadEntryObject): Pick<Endpoint, 'ready'> {
  const conditions = (status as { readonly conditions?: unknown } | null | undefined)?.conditions;
  return Array.isArray(conditions) && conditions.some(isFailing) ? { ready: false } : {};
}

/** The status of an entry that is not ready, as Istio writes it. */
export const NOT_READY = { conditions: [{ type: 'Healthy', status: 'False' }] };

function isFailing(condition: unknown): boolean {
  const { type, status } = (condition ?? {}) as Readonly<Record<string, unknown>>;
  return type === 'Healthy' && status === 'False';
}
