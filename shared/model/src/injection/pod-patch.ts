/** What a webhook answers: how the Pod becomes the injected one, as JSON Patch (RFC 6902). Pure. */
import type { PodTemplate } from './pod-template.ts';

/** `add` of a member that is there replaces it (RFC 6902 section 4.1). */
export interface PatchStep {
  readonly op: 'add';
  readonly path: string;
  readonly value: unknown;
}

/** The four members that injection changes, whole: nothing else of the Pod is touched. */
export function podPatch(before: PodTemplate, after: PodTemplate): readonly PatchStep[] {
  const metadata: PatchStep[] =
    before.metadata === undefined || before.metadata === null ? [{ op: 'add', path: '/metadata', value: {} }] : [];
  return [
    ...metadata,
    { op: 'add', path: '/metadata/labels', value: after.metadata?.labels },
    { op: 'add', path: '/metadata/annotations', value: after.metadata?.annotations },
    { op: 'add', path: '/spec/initContainers', value: after.spec.initContainers },
    { op: 'add', path: '/spec/volumes', value: after.spec.volumes },
  ];
}
