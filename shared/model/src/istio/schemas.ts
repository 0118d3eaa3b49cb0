/** The specs of Istio's kinds as Hawser serves them: the whole of Istio's schema, without what is refused. Pure. */
import { authorizationPolicySchema } from '../generated/istio/authorization-policy.ts';
import { destinationRuleSchema } from '../generated/istio/destination-rule.ts';
import { gatewaySchema } from '../generated/istio/gateway.ts';
import { peerAuthenticationSchema } from '../generated/istio/peer-authentication.ts';
import { requestAuthenticationSchema } from '../generated/istio/request-authentication.ts';
import { serviceEntrySchema } from '../generated/istio/service-entry.ts';
import { sidecarSchema } from '../generated/istio/sidecar.ts';
import { telemetrySchema } from '../generated/istio/telemetry.ts';
import { virtualServiceSchema } from '../generated/istio/virtual-service.ts';
import { wasmPluginSchema } from '../generated/istio/wasm-plugin.ts';
import { workloadEntrySchema } from '../generated/istio/workload-entry.ts';
import { workloadGroupSchema } from '../generated/istio/workload-group.ts';
import { AUTHORIZATION_POLICY } from './refused/authorization-policy.ts';
import { DESTINATION_RULE } from './refused/destination-rule.ts';
import { GATEWAY } from './refused/gateway.ts';
import { SERVICE_ENTRY } from './refused/service-entry.ts';
import { SIDECAR } from './refused/sidecar.ts';
import { TELEMETRY } from './refused/telemetry.ts';
import { VIRTUAL_SERVICE } from './refused/virtual-service.ts';
import { WASM_PLUGIN } from './refused/wasm-plugin.ts';
import { WORKLOAD_ENTRY } from './refused/workload-entry.ts';
import { WORKLOAD_GROUP } from './refused/workload-group.ts';

/** The part of JSON Schema that the generated schemas use. */
export interface FieldSchema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly patternProperties?: Readonly<Record<string, FieldSchema>>;
  readonly items?: FieldSchema;
  readonly required?: readonly string[];
}

/** One of Istio's kinds. */
export interface IstioKind {
  /** Everything that Istio has. */
  readonly whole: FieldSchema;
  /** What is left of it without the refused fields. */
  readonly served: FieldSchema;
  /** Path of a refused field, all of it, → why: a clause without a full stop. */
  readonly refused: Readonly<Record<string, string>>;
}

/** A field of a kind, by its path: names joined by dots; `*` stands for any key of a map; lists are passed through. */
export interface IstioField {
  readonly path: string;
  readonly description: string;
  /** Why it is refused, by itself or with what it is part of. */
  readonly refused: string | undefined;
  /** Whether nothing is below it. */
  readonly isLeaf: boolean;
}

/** Istio's CRD leaves open what is in it. */
const ANYTHING = {
  type: 'object',
  patternProperties: { '^.*$': {} },
  description: 'The configuration that will be passed on to the plugin.',
};

/** By the name of the kind. */
export const ISTIO_KINDS: ReadonlyMap<string, IstioKind> = new Map([
  ['VirtualService', istioKind(virtualServiceSchema, VIRTUAL_SERVICE)],
  ['DestinationRule', istioKind(destinationRuleSchema, DESTINATION_RULE)],
  ['Gateway', istioKind(gatewaySchema, GATEWAY)],
  ['ServiceEntry', istioKind(serviceEntrySchema, SERVICE_ENTRY)],
  ['WorkloadEntry', istioKind(workloadEntrySchema, WORKLOAD_ENTRY)],
  ['WorkloadGroup', istioKind(workloadGroupSchema, WORKLOAD_GROUP)],
  ['Sidecar', istioKind(sidecarSchema, SIDECAR)],
  ['Telemetry', istioKind(telemetrySchema, TELEMETRY)],
  ['AuthorizationPolicy', istioKind(authorizationPolicySchema, AUTHORIZATION_POLICY)],
  ['PeerAuthentication', istioKind(peerAuthenticationSchema, {})],
  ['RequestAuthentication', istioKind(requestAuthenticationSchema, {})],
  ['WasmPlugin', istioKind(withField(wasmPluginSchema, 'pluginConfig', ANYTHING), WASM_PLUGIN)],
]);

/** Why a field of a kind's spec is refused; undefined when Istio has no such field, or it is served. */
export function refusal(kind: string, steps: readonly (string | number)[]): string | undefined {
  const istio = ISTIO_KINDS.get(kind);
  if (istio === undefined) return undefined;
  const path: string[] = [];
  let at: FieldSchema | undefined = istio.whole;
  for (const step of steps) {
    if (at === undefined) return undefined;
    if (typeof step === 'number') at = at.items;
    else {
      const entry = fieldsOf(at).find(([name]) => name === step || name === '*');
      if (entry === undefined) return undefined;
      path.push(entry[0]);
      at = entry[1];
    }
  }
  return reasonOf(istio.refused, path);
}

/** Every field of a kind's spec, in the order of Istio's schema. */
export function istioFields(kind: string): readonly IstioField[] {
  const istio = ISTIO_KINDS.get(kind);
  if (istio === undefined) return [];
  const below = (schema: FieldSchema, path: readonly string[]): IstioField[] =>
    fieldsOf(schema).flatMap(([name, field]) => {
      const at = [...path, name];
      const inner = below(field, at);
      const one = {
        path: at.join('.'),
        description: field.description ?? '',
        refused: reasonOf(istio.refused, at),
        isLeaf: inner.length === 0,
      };
      return name === '*' && inner.length > 0 ? inner : [one, ...inner];
    });
  return below(istio.whole, []);
}

function withField(schema: FieldSchema, name: string, field: FieldSchema): object {
  return { ...schema, properties: { ...schema.properties, [name]: field } };
}

function istioKind(schema: object, refused: Readonly<Record<string, string>>): IstioKind {
  return { whole: schema, served: without(schema, refused, []), refused };
}

function reasonOf(refused: Readonly<Record<string, string>>, path: readonly string[]): string | undefined {
  for (let length = 1; length <= path.length; length += 1) {
    const part = path.slice(0, length).join('.');
    if (Object.hasOwn(refused, part)) return refused[part];
  }
  return undefined;
}

/** Fields right below, through lists; a map has one, `*`. */
function fieldsOf({ properties, patternProperties, items }: FieldSchema): readonly (readonly [string, FieldSchema])[] {
  if (items !== undefined) return fieldsOf(items);
  const [values] = Object.values(patternProperties ?? {});
  if (values !== undefined) return fieldsOf(values).length > 0 ? [['*', values]] : [];
  return Object.entries(properties ?? {});
}

function without(schema: FieldSchema, refused: Readonly<Record<string, string>>, path: readonly string[]): FieldSchema {
  const { properties, patternProperties, items } = schema;
  if (items !== undefined) return { ...schema, items: without(items, refused, path) };
  if (patternProperties !== undefined) {
    const kept = Object.entries(patternProperties).map(([key, values]) => [key, without(values, refused, [...path, '*'])] as const);
    return { ...schema, patternProperties: Object.fromEntries(kept) };
  }
  if (properties === undefined) return schema;
  const served = Object.entries(properties).filter(([name]) => reasonOf(refused, [...path, name]) === undefined);
  return {
    ...schema,
    properties: Object.fromEntries(served.map(([name, field]) => [name, without(field, refused, [...path, name])])),
    required: (schema.required ?? []).filter((name) => served.some(([kept]) => kept === name)),
  };
}
