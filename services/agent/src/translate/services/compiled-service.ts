/** A service as it was last compiled, with what it was compiled from: equal inputs are not compiled again. */
import { type DivertedPlace, isFrom } from '@hawser/model/diversion.ts';
import type { DrillFault } from '@hawser/model/drill-form.ts';
import type { Endpoint, EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { type Fleet, samePlaces } from '../fleet.ts';
import type { ServedPort } from '../listeners/inbound.ts';
import { sameObjects } from '../policy-index.ts';
import { type Placed, placed } from '../resource-ledger.ts';
import type { ServiceLookup } from '../routes/destinations.ts';
import { type EncodedHost, encodedHost } from '../routes/route-config.ts';
import { virtualHosts } from '../routes/routes.ts';
import { destinationKeys } from '../routes/rule-destinations.ts';
import type { ProxyScope } from '../scope/scope.ts';
import { type ServiceEndpoints, type ServiceShape, serversTrust, serviceEndpoints, serviceShape } from './service-resources.ts';
import { type ServiceInput, type ServiceView, serviceView, shapeOf } from './service-view.ts';

export interface CompiledService {
  readonly input: ServiceInput;
  readonly fleet: Fleet;
  readonly view: ServiceView;
  readonly shapeKey: string;
  readonly shape: ServiceShape;
  readonly trust: readonly XdsResource[];
  readonly endpoints: ServiceEndpoints;
  /** Services its rules lead to: their shape decides about its routes. */
  readonly leadsTo: ReadonlySet<string>;
  /** Address of an own endpoint → what it serves. */
  readonly served: ReadonlyMap<string, readonly ServedPort[]>;
  /** Address of an own endpoint → its labels. */
  readonly labels: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** Addresses of own endpoints without a sidecar. */
  readonly bare: readonly string[];
}

/** Compiles a service; `before` itself when nothing it is made of differs, parts of it when those are the same. */
export function compiledService(input: ServiceInput, fleet: Fleet, before: CompiledService | undefined): CompiledService {
  const isSameTrust = before !== undefined && before.fleet === fleet;
  if (isSameTrust && before.input.policies === input.policies && serversAlike(before.input, input)) return before;
  const isSame = before !== undefined && samePlaces(before.fleet, fleet);
  const view = serviceView(input, fleet);
  const shapeKey = `${shapeOf(view)}${JSON.stringify(input.policies.destination)}`;
  const shape = isSame && before.shapeKey === shapeKey ? before.shape : serviceShape(view, fleet);
  return {
    input,
    fleet,
    view,
    shapeKey,
    shape,
    trust: isSameTrust && before.shapeKey === shapeKey ? before.trust : serversTrust(view, fleet),
    endpoints:
      isSame && before.shape === shape && placesAlike(before.input, input) ? before.endpoints : serviceEndpoints(view, fleet, shape),
    leadsTo: isSame && before.input.policies === input.policies ? before.leadsTo : destinationKeys(input.policies, input.key),
    served:
      before !== undefined && before.view.own === view.own && isTreatedAlike(before, view, fleet)
        ? before.served
        : servedPorts(view, fleet),
    labels: before !== undefined && before.view.own === view.own ? before.labels : labelsOf(view),
    bare: (view.own?.endpoints ?? []).flatMap(({ address, bare }) => (bare === true ? [address] : [])),
  };
}

function serversAlike(a: ServiceInput, b: ServiceInput): boolean {
  return a.shards === b.shards && a.external === b.external && a.guests === b.guests;
}

/** Whether two inputs of one shape give the same assignments: rules have no part in them. */
function placesAlike(a: ServiceInput, b: ServiceInput): boolean {
  const [one, other] = [a.policies, b.policies];
  const isSame = one.failover === other.failover && one.shift === other.shift && sameObjects(one.diversions, other.diversions);
  return isSame && serversAlike(a, b);
}

/** The resources of a compiled service in the shared layers. */
export function compiledResources(compiled: CompiledService): Placed[] {
  const { shape, endpoints } = compiled;
  return [...placed('sidecar', sidecarResources(compiled)), ...placed('gateway', [...shape.gateway, ...endpoints.gateway])];
}

/** Those of sidecars. */
export function sidecarResources({ shape, trust, endpoints }: CompiledService): readonly XdsResource[] {
  return [...shape.sidecar, ...trust, ...endpoints.sidecar];
}

/** The virtual hosts of a compiled service, given the other services its rules may lead to, as a caller sees them. */
export function compiledHosts(compiled: CompiledService, lookup: ServiceLookup, scope?: ProxyScope): EncodedHost[] {
  return virtualHosts(compiled.view, lookup, scope).map(encodedHost);
}

function isTreatedAlike(before: CompiledService, view: ServiceView, fleet: Fleet): boolean {
  return isClosed(before.view, before.fleet) === isClosed(view, fleet) && faultHere(before.view, before.fleet) === faultHere(view, fleet);
}

/** What a drill does to the service at the proxies of the own cluster. */
function faultHere({ policies: { injection } }: ServiceView, fleet: Fleet): DrillFault | undefined {
  return injection !== undefined && isFrom({ from: injection.scope }, here(fleet)) ? injection.fault : undefined;
}

function here({ self }: Fleet): DivertedPlace {
  return { cluster: self.name, region: self.region, zone: self.zone };
}

/** Whether the own cluster is drained of the service, and connections to it that are left have to end. */
function isClosed({ policies }: ServiceView, fleet: Fleet): boolean {
  return policies.diversions.some((diversion) => diversion.closes && isFrom(diversion, here(fleet)));
}

function servedPorts(view: ServiceView, fleet: Fleet): ReadonlyMap<string, readonly ServedPort[]> {
  const own: EndpointShard | undefined = view.own;
  if (own === undefined) return new Map();
  const fault = faultHere(view, fleet);
  const treated = { ...(isClosed(view, fleet) ? { isDrained: true as const } : {}), ...(fault === undefined ? {} : { fault }) };
  const reach = { bare: own.exported ? 'exported' : 'own' } as const;
  const portsOf = ({ targetPorts, bare }: Endpoint): readonly ServedPort[] =>
    own.ports.flatMap(({ port, protocol, application }) => {
      const targetPort = targetPorts[String(port)];
      return targetPort === undefined
        ? []
        : [{ name: view.name, port, protocol, application, targetPort, ...treated, ...(bare === true ? reach : {}) }];
    });
  // Endpoints of one slice have one object for their ports.
  const [withSidecar, bare] = [new Map<object, readonly ServedPort[]>(), new Map<object, readonly ServedPort[]>()];
  const served = new Map<string, readonly ServedPort[]>();
  for (const endpoint of own.endpoints) {
    const known = endpoint.bare === true ? bare : withSidecar;
    const ports = known.get(endpoint.targetPorts) ?? portsOf(endpoint);
    known.set(endpoint.targetPorts, ports);
    served.set(endpoint.address, ports);
  }
  return served;
}

function labelsOf({ own }: ServiceView): ReadonlyMap<string, Readonly<Record<string, string>>> {
  return new Map((own?.endpoints ?? []).map(({ address, labels }) => [address, labels]));
}
