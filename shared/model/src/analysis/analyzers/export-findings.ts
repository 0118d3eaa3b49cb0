/** exportTo that hides policy from the namespaces that use it. */
import type { VirtualServiceSpec } from '../../istio/specs.ts';
import { destinationsOf } from '../destinations.ts';
import { type Exporting, isSeenFrom } from '../exported.ts';
import { type Finding, finding } from '../finding.ts';
import { keyOf } from '../hosts.ts';
import { isObject, type Subject } from '../subject.ts';
import type { World } from '../world.ts';

/** HW0901: at the route whose DestinationRule or ServiceEntry its own namespace does not see. */
export function hiddenFromRoutes(subject: Subject<VirtualServiceSpec>, world: World): Finding[] {
  return destinationsOf(subject.spec).flatMap(({ field, destination }) => {
    const key = keyOf(destination.host, subject.namespace);
    const subset = destination.subset ?? '';
    const rules = subset === '' ? [] : world.rulesOf(key).filter(({ spec }) => spec.subsets?.some(({ name }) => name === subset));
    const entries = world.entriesOf(key);
    return [
      ...hiddenAll(subject, { field: `${field}.subset`, needed: rules }),
      ...(world.services?.has(key) === true ? [] : hiddenAll(subject, { field: `${field}.host`, needed: entries })),
    ];
  });
}

function hiddenAll(subject: Subject, { field, needed }: { field: string; needed: readonly Exporting[] }): Finding[] {
  const [first] = needed;
  if (first === undefined || needed.some((one) => isSeenFrom(one, subject.namespace))) return [];
  const fix = `add ${subject.namespace} to exportTo of ${first.key}`;
  return [finding('HW0901', { at: subject, field, fix }, `${first.key} is not exported to ${subject.namespace}`)];
}

/** HW0902. */
export function exportTargets(subject: Subject, world: World): Finding[] {
  const { services } = world;
  const targets = isObject(subject.spec) ? subject.spec['exportTo'] : undefined;
  if (services === undefined || !Array.isArray(targets)) return [];
  return targets.flatMap((target: unknown, index) => {
    if (typeof target !== 'string' || ['*', '.', '~', subject.namespace].includes(target)) return [];
    if ([...services.keys()].some((key) => key.startsWith(`${target}/`))) return [];
    return [finding('HW0902', { at: subject, field: `spec.exportTo[${index}]` }, `no service is in the namespace ${target}`)];
  });
}
