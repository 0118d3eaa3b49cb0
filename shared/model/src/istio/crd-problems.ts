/** What Istio's CRDs say beyond the shape of a spec: ranges, patterns, which fields exclude each other. Pure. */
import { WasmPlugin } from '@kubernetes-models/istio/extensions.istio.io/v1alpha1/WasmPlugin';
import { DestinationRule } from '@kubernetes-models/istio/networking.istio.io/v1/DestinationRule';
import { Gateway } from '@kubernetes-models/istio/networking.istio.io/v1/Gateway';
import { ServiceEntry } from '@kubernetes-models/istio/networking.istio.io/v1/ServiceEntry';
import { Sidecar } from '@kubernetes-models/istio/networking.istio.io/v1/Sidecar';
import { VirtualService } from '@kubernetes-models/istio/networking.istio.io/v1/VirtualService';
import { WorkloadEntry } from '@kubernetes-models/istio/networking.istio.io/v1/WorkloadEntry';
import { WorkloadGroup } from '@kubernetes-models/istio/networking.istio.io/v1/WorkloadGroup';
import { AuthorizationPolicy } from '@kubernetes-models/istio/security.istio.io/v1/AuthorizationPolicy';
import { PeerAuthentication } from '@kubernetes-models/istio/security.istio.io/v1/PeerAuthentication';
import { RequestAuthentication } from '@kubernetes-models/istio/security.istio.io/v1/RequestAuthentication';
import { Telemetry } from '@kubernetes-models/istio/telemetry.istio.io/v1/Telemetry';
import type { SchemaProblem } from '../validate-schema.ts';

/** An empty model of each kind: a constructor would copy what it is given. */
const MODELS: ReadonlyMap<string, () => { validate(): void }> = new Map<string, () => { validate(): void }>([
  ['VirtualService', () => new VirtualService()],
  ['DestinationRule', () => new DestinationRule()],
  ['Gateway', () => new Gateway()],
  ['ServiceEntry', () => new ServiceEntry()],
  ['Sidecar', () => new Sidecar()],
  ['WorkloadEntry', () => new WorkloadEntry()],
  ['WorkloadGroup', () => new WorkloadGroup()],
  ['Telemetry', () => new Telemetry()],
  ['AuthorizationPolicy', () => new AuthorizationPolicy()],
  ['PeerAuthentication', () => new PeerAuthentication()],
  ['RequestAuthentication', () => new RequestAuthentication()],
  ['WasmPlugin', () => new WasmPlugin()],
]);

/** As ajv reports it. */
interface Fault {
  readonly instancePath: string;
  readonly keyword: string;
  readonly message?: string;
}

/** Keywords that only say that one of several others failed. */
const REPEATING: ReadonlySet<string> = new Set(['anyOf', 'oneOf', 'not', 'if']);

/** Problems of a spec that has the right shape; none for kinds that are not Istio's. */
export function crdProblems(kind: string, spec: unknown): readonly SchemaProblem[] {
  const model = MODELS.get(kind)?.();
  if (model === undefined) return [];
  try {
    Object.assign(model, { metadata: { name: 'any' }, spec }).validate();
    return [];
  } catch (error) {
    const faults = faultsOf(error).filter(({ instancePath }) => instancePath.startsWith('/spec'));
    const direct = faults.filter(({ keyword }) => !REPEATING.has(keyword) && keyword !== 'required');
    return (direct.length > 0 ? direct : faults.slice(-1)).map(problemOf);
  }
}

function faultsOf(error: unknown): readonly Fault[] {
  if (error instanceof Error && 'errors' in error && Array.isArray(error.errors)) return error.errors as Fault[];
  throw error;
}

function problemOf({ instancePath, keyword, message = 'is not valid' }: Fault): SchemaProblem {
  const steps = instancePath
    .split('/')
    .slice(2)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step));
  const exclusive = 'has fields that exclude each other, or lacks the one that is needed: see hawser explain';
  return { steps, code: 'FieldValueInvalid', message: REPEATING.has(keyword) || keyword === 'required' ? exclusive : message };
}
