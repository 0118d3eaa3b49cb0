/** What runs in a rig: clusters, workloads with their services, and who calls. */
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import { APP_PORTS } from './echo-app.ts';

/** An application, with a sidecar unless it is bare. */
export interface Workload {
  /** What answers and tallies call it. */
  readonly name: string;
  /** `NAMESPACE/SERVICE`. */
  readonly service: string;
  readonly cluster: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Last part of its address, 21 and above. */
  readonly at: number;
  readonly bare?: true;
}

/** A sidecar that calls; its service account is its name. */
export interface Client {
  readonly name: string;
  readonly namespace: string;
  readonly cluster: string;
  readonly at: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A port of a service; it leads to what the application speaks (`APP_PORTS`) unless `target` says otherwise. */
export type RigPort = ServicePort & { readonly target?: number };

/** Everything that runs. */
export interface Layout {
  readonly clusters: readonly string[];
  /** Other names of a cluster's trust domain, by cluster. */
  readonly aliases?: Readonly<Record<string, readonly string[]>>;
  readonly workloads: readonly Workload[];
  readonly clients: readonly Client[];
  /** Last parts of the addresses of each cluster's gateways; one cluster alone has none. */
  readonly gateways: readonly number[];
  /** Ports by service; `http` 80 for those not named. */
  readonly ports: Readonly<Record<string, readonly RigPort[]>>;
}

/** A workload of `bookinfo` in cluster `east`. */
export function eastern(service: string, version: string, at: number): Workload {
  return { name: `${service}-${version}`, service: `bookinfo/${service}`, cluster: 'east', labels: { app: service, version }, at };
}

/** The same without a sidecar. */
export function bareEastern(service: string, version: string, at: number): Workload {
  return { ...eastern(service, version, at), bare: true };
}

/** reviews v1, v2 and v3, ratings v1, and productpage, who calls them; all in one cluster. */
export const BOOKINFO: Layout = {
  clusters: ['east'],
  workloads: [eastern('reviews', 'v1', 21), eastern('reviews', 'v2', 22), eastern('reviews', 'v3', 23), eastern('ratings', 'v1', 24)],
  clients: [{ name: 'productpage', namespace: 'bookinfo', cluster: 'east', at: 11 }],
  gateways: [1],
  ports: {
    'bookinfo/reviews': [
      { name: 'http', port: 80, protocol: 'http' },
      { name: 'http-admin', port: 8080, protocol: 'http' },
    ],
  },
};

/** Ports of a service as its cluster publishes them. */
export function portsOf(layout: Layout, service: string): { ports: ServicePort[]; targetPorts: Record<string, number> } {
  const ports = layout.ports[service] ?? [{ name: 'http', port: 80, protocol: 'http' as const }];
  return {
    ports: ports.map(({ target: _target, ...port }) => port),
    targetPorts: Object.fromEntries(ports.map(({ port, protocol, target }) => [String(port), target ?? APP_PORTS[protocol]])),
  };
}
