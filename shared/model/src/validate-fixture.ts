/** What tests of validation ask with. */
import { type KindDescriptor, kindNamed } from './kinds.ts';
import type { Issue } from './resource.ts';
import { validateResource } from './validate.ts';

/** A kind that there is. */
export function kind(name: string): KindDescriptor {
  const found = kindNamed(name);
  if (found === undefined) throw new Error(`no kind ${name}`);
  return found;
}

/** `PATH CODE` of everything that is wrong with one. */
export function issuesOf(input: unknown, name: string): readonly string[] {
  const result = validateResource(input, kind(name));
  return 'issues' in result ? result.issues.map(({ path, code }: Issue) => `${path} ${code}`) : [];
}

/** A resource of a kind of ours. */
export const hawser = (name: string, spec: unknown, metadata: object = { name: 'x', namespace: 'bookinfo' }): object => ({
  apiVersion: 'hawser.dev/v1alpha1',
  kind: name,
  metadata,
  spec,
});
