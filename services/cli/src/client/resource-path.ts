import type { KindDescriptor } from '@hawser/model/kinds.ts';

/** Which resource, or which list. */
export interface ResourceAddress {
  readonly kind: KindDescriptor;
  /** Left out for cluster-scoped kinds and for lists over all namespaces. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

/** PURE: `/apis/GROUP/VERSION/[namespaces/NS/]PLURAL[/NAME]`. */
export function resourcePath({ kind, namespace, name }: ResourceAddress): string {
  const inNamespace = kind.namespaced && namespace !== undefined ? ['namespaces', namespace] : [];
  const steps = ['apis', kind.group, kind.versions[0], ...inNamespace, kind.plural, ...(name === undefined ? [] : [name])];
  return `/${steps.map(encodeURIComponent).join('/')}`;
}
