/** Which fields of Istio's kinds make a difference: each is taken out of the golden cases that have it. */
import type { XdsResource } from '@hawser/agent/snapshot/resource.ts';
import { createTranslator } from '@hawser/agent/translate/translator.ts';
import { ISTIO_KINDS } from '@hawser/model/istio/schemas.ts';
import type { DestinationRuleSpec } from '@hawser/model/istio/specs.ts';
import { type GoldenCase, names, proxiesOf, readCase, resourcesAfter, worldOf } from './golden-case.ts';

type Steps = readonly (string | number)[];

/** By `KIND PATH`, the golden case whose configuration is another without the field. */
export function fieldsThatMatter(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, input] of names('in').flatMap((one) => withVariants(readCase(one)).map((each) => [one, each] as const))) {
    const whole = configuration(input);
    for (const [index, { kind, spec }] of input.policies.entries()) {
      if (!ISTIO_KINDS.has(kind)) continue;
      for (const steps of placesOf(spec)) {
        const field = `${kind} ${pathOf(kind, steps)}`;
        if (!found.has(field) && configuration(withoutField(input, index, steps)) !== whole) found.set(field, name);
      }
    }
  }
  return found;
}

/** The case, and where a DestinationRule has a traffic policy, the same with it as a subset's, a port's, and a subset's port's. */
function withVariants(input: GoldenCase): readonly GoldenCase[] {
  const rule = input.policies.find(({ kind, spec }) => kind === 'DestinationRule' && (spec as DestinationRuleSpec).trafficPolicy);
  if (rule === undefined) return [input];
  const { trafficPolicy = {}, subsets = [{ name: 'variant' }], ...spec } = rule.spec as DestinationRuleSpec;
  const { connectionPool, loadBalancer, outlierDetection, tls } = trafficPolicy;
  const port = { number: portOf(input) };
  const ports = { portLevelSettings: [{ port, connectionPool, loadBalancer, outlierDetection, tls }] };
  const inSubsets = (moved: object): object => ({ ...spec, subsets: subsets.map((subset) => ({ ...subset, trafficPolicy: moved })) });
  const toSubset = { hosts: [spec.host], http: [{ route: [{ destination: { host: spec.host, subset: subsets[0]?.name, port } }] }] };
  const metadata = { ...rule.metadata, name: 'to-subset' };
  const others = [...input.policies.filter((policy) => policy !== rule), { ...rule, kind: 'VirtualService', metadata, spec: toSubset }];
  return [
    input,
    ...[inSubsets(trafficPolicy), { ...spec, subsets, trafficPolicy: ports }, inSubsets(ports)].map((moved) => ({
      ...input,
      policies: [...others, { ...rule, spec: JSON.parse(JSON.stringify(moved)) as unknown }],
    })),
  ];
}

/** The first port of the first service. */
function portOf({ services }: GoldenCase): number {
  const [shards = {}] = Object.values(services);
  return Object.values(shards)[0]?.ports?.[0]?.port ?? 80;
}

/** Names and versions of all that is compiled; what cannot be compiled is another configuration too. */
function configuration(input: GoldenCase): string {
  try {
    const translator = createTranslator();
    const attached = proxiesOf(input).flatMap((proxy) => translator.attach(proxy));
    const resources = resourcesAfter([...attached, ...translator.update(worldOf(input), 'all')]);
    return [...resources].map(([id, { version }]: readonly [string, XdsResource]) => `${id} ${version}`).join('\n');
  } catch (error) {
    return String(error);
  }
}

/** Every field at every depth, keys of maps among them. */
function placesOf(value: unknown, at: Steps = []): Steps[] {
  if (value === null || typeof value !== 'object') return [];
  const inner: readonly (readonly [string | number, unknown])[] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return inner.flatMap(([step, part]) => [...(typeof step === 'string' ? [[...at, step]] : []), ...placesOf(part, [...at, step])]);
}

function withoutField(input: GoldenCase, index: number, steps: Steps): GoldenCase {
  const policies = input.policies.map((policy, at) => (at === index ? { ...policy, spec: without(policy.spec, steps) } : policy));
  return { ...input, policies };
}

function without(value: unknown, [step, ...rest]: Steps): unknown {
  if (Array.isArray(value)) return value.map((part: unknown, index) => (index === step ? without(part, rest) : part));
  const copy: Record<string | number, unknown> = { ...(value as object) };
  if (step === undefined) return copy;
  if (rest.length === 0) delete copy[step];
  else copy[step] = without(copy[step], rest);
  return copy;
}

/** As `istioFields` names it: lists are passed through, a key of a map of objects is `*`, one of a map of values is the map. */
function pathOf(kind: string, steps: Steps): string {
  const path: string[] = [];
  let at = ISTIO_KINDS.get(kind)?.whole;
  for (const step of steps) {
    if (typeof step === 'number') continue;
    while (at?.items !== undefined) at = at.items;
    const [values] = Object.values(at?.patternProperties ?? {});
    if (values === undefined) path.push(step);
    else if (values.properties !== undefined) path.push('*');
    at = values ?? at?.properties?.[step];
  }
  return path.join('.');
}
