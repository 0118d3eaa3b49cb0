/** An EndpointSlice of an API server: what is used of it. Pure. */
import { isIP } from 'node:net';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type EndpointSliceObject, SLICE_SERVICE_LABEL } from '../registry-kinds.ts';
import { mapOf, nullable, ObjectMeta, objectReader } from './object-facts.ts';

type Conditions = NonNullable<EndpointSliceObject['endpoints'][number]['conditions']>;

/** One endpoint, before it is known who serves there. */
export interface SliceEndpoint {
  readonly address: string;
  readonly conditions: Conditions;
  readonly zone?: string;
  /** Name of its Node, where the slice does not say the zone itself. */
  readonly node?: string;
  /** `NAMESPACE/NAME` of its Pod, and the Pod's uid. */
  readonly pod?: string;
  readonly uid?: string;
  /** What DNS calls it within its Service. */
  readonly hostname?: string;
}

/** What is used of a slice. Slices that belong to no Service have no facts of use, and no `service`. */
export interface SliceFacts {
  readonly name: string;
  readonly namespace: string;
  readonly service: string | undefined;
  readonly addressType: 'IPv4' | 'IPv6';
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: NonNullable<EndpointSliceObject['ports']>;
  readonly endpoints: readonly SliceEndpoint[];
  readonly warnings: readonly string[];
}

const RawSlice = Type.Object({
  metadata: ObjectMeta,
  addressType: Type.String(),
  endpoints: nullable(Type.Array(Type.Unknown())),
  ports: nullable(
    Type.Array(
      Type.Object({
        name: nullable(Type.String()),
        port: nullable(Type.Integer()),
        protocol: nullable(Type.String()),
        appProtocol: nullable(Type.String()),
      }),
    ),
  ),
});

const Flag = nullable(Type.Boolean());
const RawEndpoint = Type.Object({
  addresses: Type.Array(Type.String(), { minItems: 1 }),
  conditions: nullable(Type.Object({ ready: Flag, serving: Flag, terminating: Flag })),
  zone: nullable(Type.String()),
  nodeName: nullable(Type.String()),
  hostname: nullable(Type.String()),
  targetRef: nullable(
    Type.Object({
      kind: Type.Optional(Type.String()),
      name: Type.Optional(Type.String()),
      namespace: Type.Optional(Type.String()),
      uid: Type.Optional(Type.String()),
    }),
  ),
});
type RawEndpoint = Static<typeof RawEndpoint>;
const endpointShape = Compile(RawEndpoint);

/** Faults of one slice that are named one by one. */
const MAX_NAMED = 3;

/** Reads EndpointSlices (discovery.k8s.io/v1). An endpoint that is no good is left out, and named. */
export const readEndpointSlice = objectReader('EndpointSlice', RawSlice, sliceFacts);

function sliceFacts({ metadata, addressType, endpoints, ports }: Static<typeof RawSlice>): SliceFacts {
  const { name, namespace = 'default' } = metadata;
  const { [SLICE_SERVICE_LABEL]: service, ...labels } = mapOf(metadata.labels);
  const place = `EndpointSlice ${namespace}/${name}`;
  const named = { name, namespace, service: service === '' ? undefined : service, labels: labelsOfUse(labels) };
  if (addressType !== 'IPv4' && addressType !== 'IPv6') {
    const warnings = [`${place}: addressType ${addressType}: only IPv4 and IPv6 are served; the slice is ignored`];
    return { ...named, addressType: 'IPv4', ports: [], endpoints: [], warnings };
  }
  const found = (endpoints ?? []).map((raw, at) => endpointFacts(raw, { at, addressType, namespace }));
  const faults = found.flatMap((one) => (typeof one === 'string' ? [`${place}: ${one}; the endpoint is ignored`] : []));
  const more = faults.length > MAX_NAMED ? [`${place}: ${faults.length - MAX_NAMED} more endpoints are ignored`] : [];
  return {
    ...{ ...named, addressType, ports: (ports ?? []).flatMap(portOf) },
    endpoints: found.filter((one) => typeof one !== 'string'),
    warnings: [...faults.slice(0, MAX_NAMED), ...more],
  };
}

/** Labels that the controllers of slices write say nothing of the workloads. */
function labelsOfUse(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !/(^|\.)k8s\.io\/|(^|\.)kubernetes\.io\//.test(name)));
}

/** A port without a number stands for all of them: nothing to match a Service's with. */
function portOf({ name, port, protocol, appProtocol }: NonNullable<Static<typeof RawSlice>['ports']>[number]): SliceFacts['ports'] {
  if (!port || (protocol ?? 'TCP') !== 'TCP') return [];
  return [{ ...(name ? { name } : {}), port, ...(appProtocol ? { appProtocol } : {}) }];
}

interface EndpointPlace {
  readonly at: number;
  readonly addressType: 'IPv4' | 'IPv6';
  readonly namespace: string;
}

/** All addresses of an endpoint are the same workload: the first one is it (discovery.k8s.io/v1). */
function endpointFacts(raw: unknown, { at, addressType, namespace }: EndpointPlace): SliceEndpoint | string {
  if (!endpointShape.Check(raw)) {
    const [error] = endpointShape.Errors(raw);
    return `endpoints[${at}]${(error?.instancePath ?? '').replaceAll('/', '.')}: ${error?.message ?? 'is no endpoint'}`;
  }
  const { addresses, conditions, zone, nodeName, hostname, targetRef } = raw;
  const [address = ''] = addresses;
  if (isIP(address) !== (addressType === 'IPv4' ? 4 : 6))
    return `endpoints[${at}].addresses[0]: ${JSON.stringify(address.slice(0, 60))} is no ${addressType} address`;
  const isPod = targetRef?.kind === 'Pod' && targetRef.name !== undefined;
  return {
    ...{ address, conditions: conditionsOf(conditions ?? {}) },
    ...(zone ? { zone } : nodeName ? { node: nodeName } : {}),
    ...(isPod ? { pod: `${targetRef.namespace ?? namespace}/${targetRef.name}` } : {}),
    ...(isPod && targetRef.uid !== undefined ? { uid: targetRef.uid } : {}),
    ...(hostname ? { hostname } : {}),
  };
}

/** What is unsaid is ready; what terminates drains while it still serves, and takes nothing when it does not (KEP-1672). */
function conditionsOf({ ready, serving, terminating }: NonNullable<RawEndpoint['conditions']>): Conditions {
  if (terminating === true) return serving === false ? { ready: false } : { ready: false, terminating: true };
  return ready === false ? { ready: false } : {};
}
