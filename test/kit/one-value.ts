/** Fields of Istio that may have one value alone: with it nothing differs, with any other the policy is refused. */

/** What a field may be, and what it may not. */
export interface OneValue {
  readonly value: string;
  readonly other: string;
}

const KIND: OneValue = { value: 'Service', other: 'Gateway' };
const GROUP: OneValue = { value: '', other: 'gateway.networking.k8s.io' };
/** That of the policy itself. */
const NAMESPACE: OneValue = { value: 'bookinfo', other: 'shop' };
const TARGETS = ['targetRef', 'targetRefs'].flatMap((ref) =>
  Object.entries({ kind: KIND, group: GROUP, namespace: NAMESPACE }).map(([field, one]) => [`${ref}.${field}`, one] as const),
);

/** By `KIND PATH`. */
export const ONE_VALUE: Readonly<Record<string, OneValue>> = {
  ...Object.fromEntries(
    ['Telemetry', 'AuthorizationPolicy', 'RequestAuthentication', 'WasmPlugin'].flatMap((kind) =>
      TARGETS.map(([path, one]) => [`${kind} ${path}`, one]),
    ),
  ),
  'Telemetry metrics.providers.name': { value: 'prometheus', other: 'stackdriver' },
};

const TARGET = { group: '', kind: 'Service', name: 'reviews' };
const REST: Readonly<Record<string, object>> = {
  Telemetry: { metrics: [{ providers: [{ name: 'prometheus' }] }] },
  RequestAuthentication: { jwtRules: [] },
  AuthorizationPolicy: { action: 'CUSTOM', provider: { name: 'judge' }, rules: [{}] },
  WasmPlugin: { url: 'file:///module.wasm' },
};

/** A spec of a kind whose field of `ONE_VALUE` has this value. */
export function specWith(kind: string, path: string, value: string): object {
  const target = path.startsWith('targetRefs') ? { targetRefs: [TARGET] } : { targetRef: TARGET };
  return put({ ...REST[kind], ...target }, path.split('.'), value) as object;
}

/** Lists are passed through: they have one entry. */
function put(at: unknown, [step, ...rest]: readonly string[], value: string): unknown {
  if (step === undefined) return value;
  if (Array.isArray(at)) return at.map((one: unknown) => put(one, [step, ...rest], value));
  const fields = at as Readonly<Record<string, unknown>>;
  return { ...fields, [step]: put(fields[step], rest, value) };
}
