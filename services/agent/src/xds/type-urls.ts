/** The xDS types Hawser serves, and their names on the wire. */
import type { XdsType } from '@hawser/wire/messages.ts';

/** The order in which changes go out: make before break (xds_protocol, "Eventual consistency considerations"). */
export const PUSH_ORDER: readonly XdsType[] = ['CDS', 'EDS', 'SDS', 'LDS', 'RDS'];

const TYPE_URLS: Readonly<Record<XdsType, string>> = {
  CDS: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  EDS: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  SDS: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  LDS: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  RDS: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
};

const TYPES: ReadonlyMap<string, XdsType> = new Map(PUSH_ORDER.map((type) => [TYPE_URLS[type], type]));

/** The type URL of a type. */
export function typeUrlOf(type: XdsType): string {
  return TYPE_URLS[type];
}

/** The type of a URL; undefined for one that Hawser does not serve. */
export function typeOfUrl(url: string): XdsType | undefined {
  return TYPES.get(url);
}
