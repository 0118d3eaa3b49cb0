/** Golden cases: a world in a file, and the resources it must become. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf';
import type { Change, XdsResource } from '@hawser/agent/snapshot/resource.ts';
import type { Credential, Credentials } from '@hawser/agent/state/credential.ts';
import type { Capture, PeerCluster, ProxyRef, World } from '@hawser/agent/state/world.ts';
import { RESOURCE_SCHEMAS } from '@hawser/agent/xds/resource-schemas.ts';
import { typeRegistry } from '@hawser/agent/xds/type-registry.ts';
import type { Endpoint, EndpointShard, ServicePort } from '@hawser/model/endpoint-shard.ts';
import { trustDomainOf } from '@hawser/model/fleet.ts';
import type { ExportFacts } from '@hawser/model/multicluster/export-facts.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import type { XdsType } from '@hawser/wire/messages.ts';
import { parse } from 'yaml';

export const TESTDATA = join(import.meta.dirname, '../../services/agent/src/translate/testdata');

interface CaseCluster {
  readonly name: string;
  readonly region: string;
  readonly network?: string;
  readonly gateways?: readonly string[];
  /** Whose file of `roots` is its bundle; `none` for an unknown one. */
  readonly root?: string;
}

interface CaseShard {
  readonly ports?: readonly ServicePort[];
  readonly exported?: boolean;
  readonly export?: ExportFacts;
  readonly endpoints: readonly (Partial<Endpoint> & { readonly address: string })[];
}

/** A case as it is written. */
export interface GoldenCase {
  readonly about: string;
  readonly self: string;
  /** Types that the golden shows; all of them unless given. */
  readonly show?: readonly XdsType[];
  readonly clusters: readonly CaseCluster[];
  readonly services: Readonly<Record<string, Readonly<Record<string, CaseShard>>>>;
  readonly policies: readonly Omit<Resource, 'apiVersion'>[];
  readonly proxies: readonly string[];
  /** Host → the address that its ServiceImport has. */
  readonly held?: Readonly<Record<string, string>>;
  /** Secrets of the registry, by `NAMESPACE/NAME`: what each holds. */
  readonly secrets?: Readonly<Record<string, readonly ('certificate' | 'authorities' | 'revoked')[]>>;
}

/** Names of files in a folder of `testdata`, without their ending. */
export function names(folder: string): string[] {
  return readdirSync(join(TESTDATA, folder))
    .map((file) => file.replace(/\.[a-z]+$/, ''))
    .sort();
}

export function readCase(name: string): GoldenCase {
  return parse(readFileSync(join(TESTDATA, 'in', `${name}.yaml`), 'utf8')) as GoldenCase;
}

/** A root certificate of `testdata/roots`. */
export function rootOf(name: string): string {
  return readFileSync(join(TESTDATA, 'roots', `${name}.pem`), 'utf8');
}

export function worldOf(input: GoldenCase): World {
  const clusters = new Map(input.clusters.map((cluster) => [cluster.name, { ...peerOf(cluster), ...speaks(input, cluster) }]));
  const shards = Object.entries(input.services).map(([key, parts]) => {
    const byCluster = Object.entries(parts).map(([cluster, shard]) => [cluster, shardOf(key, cluster, shard)] as const);
    return [key, new Map(byCluster)] as const;
  });
  const policies = input.policies.map((policy) => {
    const resource = { apiVersion: 'test', ...policy };
    return [resourceKey(policy.kind, policy.metadata.namespace, policy.metadata.name), resource] as const;
  });
  return {
    self: input.self,
    clusters,
    shards: new Map(shards),
    policies: new Map(policies),
    credentials: credentialsOf(input.secrets ?? {}),
    ...(input.held === undefined ? {} : { heldAddresses: new Map(Object.entries(input.held)) }),
  };
}

/** As the federation has it of what clusters publish. */
function speaks({ services }: GoldenCase, { name }: CaseCluster): Pick<PeerCluster, 'speaksForWorkloads'> {
  const endpoints = Object.values(services).flatMap((parts) => parts[name]?.endpoints ?? []);
  return endpoints.some(({ bare }) => bare === true) ? { speaksForWorkloads: true } : {};
}

/** Content stands for itself: no key is in the repository. */
function credentialsOf(secrets: NonNullable<GoldenCase['secrets']>): Credentials {
  const entries = Object.entries(secrets).map(([key, parts]): [string, Credential] => {
    const [namespace = '', name = ''] = key.split('/');
    const keyPair = { certificate: `(certificate of ${key})`, key: `(key of ${key})` };
    const own = parts.includes('certificate') ? { keyPair } : {};
    const others = parts.includes('authorities') ? { authorities: `(authorities of ${key})` } : {};
    return [key, { namespace, name, ...own, ...others, ...(parts.includes('revoked') ? { revoked: `(revoked of ${key})` } : {}) }];
  });
  return new Map(entries);
}

/** `captured:ADDRESS` is a sidecar whose workload's traffic is captured. */
const CAPTURES: Readonly<Record<string, Capture>> = { captured: 'ipv4', 'captured-dual': 'dual', 'captured-fetching': 'ipv4' };

/** `KIND:ADDRESS`, `fetching` for a sidecar that fetches upstreams, `outbound-gateway`, and who it is where that matters: `KIND:ADDRESS@NAMESPACE?app=a,version=v1`. */
export function proxiesOf(input: GoldenCase): ProxyRef[] {
  return input.proxies.map((text) => {
    const colon = text.indexOf(':');
    const kind = text.slice(0, colon);
    const [address = '', who] = text.slice(colon + 1).split('@');
    const capture = CAPTURES[kind];
    const role = kind === 'gateway' || kind === 'edge' ? kind : 'sidecar';
    const fetching = kind.endsWith('fetching') ? { fetchesUpstreams: true as const } : {};
    const outbound = kind === 'outbound-gateway' ? { outboundGateway: true as const } : {};
    return {
      role,
      address,
      ...fetching,
      ...outbound,
      ...(capture === undefined ? {} : { capture }),
      ...(who === undefined ? {} : identityOf(who)),
    };
  });
}

function identityOf(who: string): Pick<ProxyRef, 'namespace' | 'labels'> {
  const [namespace = '', labels = ''] = who.split('?');
  const pairs = labels.split(',').filter((pair) => pair !== '');
  return { namespace, labels: Object.fromEntries(pairs.map((pair) => pair.split('=') as [string, string])) };
}

/** The state after changes, in the order of layer, type and name. */
export function resourcesAfter(changes: readonly Change[], before: ReadonlyMap<string, XdsResource> = new Map()): Map<string, XdsResource> {
  const state = new Map(before);
  for (const change of changes) {
    if ('put' in change) state.set(`${change.layer} ${change.put.type} ${change.put.name}`, change.put);
    else if ('remove' in change) state.delete(`${change.layer} ${change.remove.type} ${change.remove.name}`);
  }
  return new Map([...state].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A resource in protobuf JSON. */
export function jsonOf(resource: XdsResource): JsonValue {
  const schema = RESOURCE_SCHEMAS[resource.type];
  return toJson(schema, fromBinary(schema, resource.bytes), { registry: typeRegistry(), useProtoFieldName: true });
}

function peerOf({ name, region, network = name, gateways = [], root = name }: CaseCluster): PeerCluster {
  const trustBundle = root === 'none' ? [] : [rootOf(root)];
  return { name, region, zone: `${region}-a`, network, trustDomain: trustDomainOf(name), trustBundle, gateways };
}

function shardOf(key: string, cluster: string, shard: CaseShard): EndpointShard {
  const [namespace = '', service = ''] = key.split('/');
  const ports = [...(shard.ports ?? [{ port: 80, protocol: 'http' as const }])];
  const targetPorts = Object.fromEntries(ports.map(({ port }) => [String(port), 9080]));
  const defaults = { targetPorts, labels: {}, serviceAccount: service, health: 'HEALTHY' as const };
  const endpoints = shard.endpoints.map((endpoint) => ({ ...defaults, ...endpoint }));
  const offered = shard.export === undefined ? {} : { export: shard.export };
  return { cluster, namespace, service, exported: shard.exported ?? true, ports, endpoints, ...offered };
}
