/** Turns what one proxy gets into a static bootstrap, so that `envoy --mode validate` reads every resource. */
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { XdsResource } from '@hawser/agent/snapshot/resource.ts';
import type { ProxyRef } from '@hawser/agent/state/world.ts';
import { jsonOf } from './golden-case.ts';

/** A certificate for the secret `identity`. */
export interface TestIdentity {
  readonly certificate: string;
  readonly key: string;
}

export function staticBootstrap(resources: readonly XdsResource[], proxy: ProxyRef, identity: TestIdentity): JsonObject {
  const of = (type: string): Map<string, JsonObject> =>
    new Map(resources.filter((resource) => resource.type === type).map((resource) => [resource.name, object(jsonOf(resource))]));
  const [assignments, routes] = [of('EDS'), of('RDS')];
  const identitySecret = {
    name: 'identity',
    tls_certificate: { certificate_chain: { inline_string: identity.certificate }, private_key: { inline_string: identity.key } },
  };
  return {
    node: { id: proxy.address, cluster: proxy.role },
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener' },
      },
    ],
    static_resources: {
      clusters: [...of('CDS').values()].map((cluster) => object(inlined(withEndpoints(cluster, assignments), { routes, identity }))),
      listeners: [...of('LDS').values()].map((listener) => object(inlined(listener, { routes, identity }))),
      secrets: [...[...of('SDS').values()].map((secret) => object(inlined(secret, { routes, identity }))), identitySecret],
    },
  };
}

function withEndpoints(cluster: JsonObject, assignments: ReadonlyMap<string, JsonObject>): JsonObject {
  if (cluster['eds_cluster_config'] === undefined) return cluster;
  const { eds_cluster_config: _eds, ...rest } = cluster;
  const assignment = assignments.get(String(cluster['name']));
  if (assignment === undefined) throw new Error(`${cluster['name']} has no assignment`);
  return { ...rest, type: 'STATIC', load_assignment: assignment };
}

interface Replaced {
  readonly routes: ReadonlyMap<string, JsonObject>;
  readonly identity: TestIdentity;
}

/** Without ADS: secrets by name, routes in place, and certificates in the place of files that only a proxy would have. */
function inlined(value: JsonValue, by: Replaced): JsonValue {
  if (Array.isArray(value)) return value.map((item) => inlined(item, by));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).flatMap(([key, inner]): [string, JsonValue][] => {
    if (key === 'sds_config') return [];
    if (key === 'rds') return [['route_config', by.routes.get(String(object(inner)['route_config_name'])) ?? {}]];
    if (isFile(inner) || isPlaceholder(inner))
      return key === 'crl' ? [] : [[key, { inline_string: key === 'private_key' ? by.identity.key : by.identity.certificate }]];
    return [[key, inlined(inner, by)]];
  });
  return Object.fromEntries(entries);
}

function isFile(value: JsonValue): boolean {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).join() === 'filename';
}

/** The content of a Secret in a golden case: `(certificate of NAMESPACE/NAME)`. */
function isPlaceholder(value: JsonValue): boolean {
  return /^\{"inline_string":"\(\w+ of [^)]*\)"\}$/.test(JSON.stringify(value));
}

function object(value: JsonValue | undefined): JsonObject {
  if (value === undefined || value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error('not an object');
  return value;
}
