/** Gateways, and the VirtualServices that are bound to them. Pure. */
import type { GatewaySpec, VirtualServiceSpec } from '@hawser/model/istio/specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { byAge, policyKeyOf } from '../policy-tables.ts';
import { gatewayKeys, MESH } from '../routes/caller.ts';

/** A Gateway in force. */
export interface EdgeGateway {
  /** `NAMESPACE/NAME`, as VirtualServices name it. */
  readonly key: string;
  /** Its key among policies. */
  readonly policy: string;
  readonly namespace: string;
  readonly spec: GatewaySpec;
}

/** A VirtualService, for the Gateways that it or one of its matches names. */
export interface BoundService {
  readonly resource: Resource;
  readonly policy: string;
  readonly namespace: string;
  readonly spec: VirtualServiceSpec;
  /** Where each Gateway is named first, by its key. */
  readonly gateways: ReadonlyMap<string, string>;
}

/** Both, the oldest first. */
export interface EdgeIndex {
  readonly gateways: readonly EdgeGateway[];
  readonly services: readonly BoundService[];
}

/** Indexes the policies in force. */
export function edgeIndex(policies: ReadonlyMap<string, Resource>): EdgeIndex {
  const gateways: Resource[] = [];
  const services: Resource[] = [];
  for (const policy of policies.values()) {
    if (policy.kind === 'Gateway') gateways.push(policy);
    else if (policy.kind === 'VirtualService' && namesGateways(policy)) services.push(policy);
  }
  return { gateways: gateways.sort(byAge).map(gatewayOf), services: services.sort(byAge).map(boundOf) };
}

function gatewayOf(policy: Resource): EdgeGateway {
  const namespace = policy.metadata.namespace ?? '';
  return { key: `${namespace}/${policy.metadata.name}`, policy: policyKeyOf(policy), namespace, spec: policy.spec as GatewaySpec };
}

function namesGateways(policy: Resource): boolean {
  return named(policy.spec as VirtualServiceSpec, policy.metadata.namespace ?? '').size > 0;
}

function boundOf(resource: Resource): BoundService {
  const namespace = resource.metadata.namespace ?? '';
  const spec = resource.spec as VirtualServiceSpec;
  return { resource, policy: policyKeyOf(resource), namespace, spec, gateways: named(spec, namespace) };
}

const known = new WeakMap<object, ReadonlyMap<string, string>>();

/** Policies are never changed in place: each is searched once. */
function named(spec: VirtualServiceSpec, namespace: string): ReadonlyMap<string, string> {
  const before = known.get(spec);
  if (before !== undefined) return before;
  const found = new Map<string, string>();
  const note = (names: readonly string[] | undefined, field: string): void => {
    if (names === undefined || names.length === 0) return;
    for (const [index, key] of gatewayKeys(names, namespace).entries())
      if (key !== MESH && !found.has(key)) found.set(key, `${field}[${index}]`);
  };
  note(spec.gateways, 'spec.gateways');
  for (const part of ['http', 'tls', 'tcp'] as const)
    for (const [index, rule] of (spec[part] ?? []).entries())
      for (const [at, match] of (rule.match ?? []).entries()) note(match.gateways, `spec.${part}[${index}].match[${at}].gateways`);
  known.set(spec, found);
  return found;
}
