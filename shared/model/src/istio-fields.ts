/** Whether Istio knows a field that we do not: then it is refused as not implemented, rather than as a mistake. */
import { DestinationRule } from '@kubernetes-models/istio/networking.istio.io/v1/DestinationRule';
import { VirtualService } from '@kubernetes-models/istio/networking.istio.io/v1/VirtualService';

/** An empty model of each kind; the constructor would copy what it is given, and so read it. */
const MODELS: Readonly<Record<string, () => { validate(): void }>> = {
  VirtualService: () => new VirtualService(),
  DestinationRule: () => new DestinationRule(),
};

/**
 * Whether Istio's schema of `kind` has a field at `steps` of this spec. The schemas ship as compiled validators, so
 * the field is put where the validator meets it as a getter: one that it declares is read, another is not.
 */
export function isIstioField(kind: string, spec: unknown, steps: readonly (string | number)[]): boolean {
  const model = Object.hasOwn(MODELS, kind) ? MODELS[kind]?.() : undefined;
  if (model === undefined) return false;
  let read = false;
  const probe = withGetter(spec, steps, () => {
    read = true;
  });
  try {
    Object.assign(model, { metadata: { name: 'probe' }, spec: probe }).validate();
  } catch {
    // The rest of the spec may be wrong too; only what was read counts.
  }
  return read;
}

function withGetter(value: unknown, steps: readonly (string | number)[], onRead: () => void): unknown {
  const [step, ...rest] = steps;
  if (step === undefined || value === null || typeof value !== 'object') return value;
  const copy: object = Array.isArray(value) ? [...value] : { ...value };
  const inner = (value as Record<string | number, unknown>)[step];
  if (rest.length > 0) return Object.assign(copy, { [step]: withGetter(inner, rest, onRead) });
  return Object.defineProperty(copy, step, {
    enumerable: true,
    get: () => {
      onRead();
      return inner;
    },
  });
}
