/** From where a policy can be seen: Istio's exportTo. Pure. */
import type { Subject } from './subject.ts';

/** Kinds with `exportTo`. */
export type Exporting = Subject<{ readonly exportTo?: readonly string[] | undefined }>;

/** Whether callers of a namespace see it: `*` all, `.` its own, `~` none; nothing given is all. */
export function isSeenFrom({ spec, namespace: owner }: Exporting, namespace: string): boolean {
  const targets = spec.exportTo ?? [];
  return targets.length === 0 || targets.some((target) => target === '*' || (target === '.' ? owner : target) === namespace);
}
