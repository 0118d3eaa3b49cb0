/** Machines whose sidecars say that they belong to a WorkloadGroup: each is registered as the group's template says. Pure. */

import { SIDECAR_LABEL } from '@hawser/model/injection/injection-names.ts';
import type { WorkloadGroupSpec } from '@hawser/model/istio/specs.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import { WORKLOAD_GROUP_LABEL } from '@hawser/model/workload-group.ts';
import type { ProxyRef } from '../state/world.ts';
import { NOT_READY } from './health-check.ts';
import type { WorkloadEntryObject } from './registry-kinds.ts';

/** What is around the machines. */
export interface JoinContext {
  readonly policies: ReadonlyMap<string, Resource>;
  /** Whether a machine is ready by the probe of its group. */
  readonly isReady: (proxy: ProxyRef) => boolean;
}

/**
 * The workloads of sidecars that joined a group, by address. A sidecar joins only as the account that its token proves and the
 * template names (`default` unless it does): nobody serves in another's name. Of a group with a probe it serves once it is ready.
 */
export function joinedWorkloads(proxies: readonly ProxyRef[], context: JoinContext): readonly WorkloadEntryObject[] {
  return proxies.flatMap((proxy) => {
    const { labels = {}, namespace = '', role, serviceAccount } = proxy;
    const group = context.policies.get(resourceKey('WorkloadGroup', namespace, labels[WORKLOAD_GROUP_LABEL] ?? ''));
    if (role !== 'sidecar' || group === undefined) return [];
    const spec = group.spec as WorkloadGroupSpec;
    if ((spec.template?.serviceAccount ?? 'default') !== serviceAccount) return [];
    const entry = member(proxy, group.metadata.name, spec);
    return [spec.probe === undefined || context.isReady(proxy) ? entry : { ...entry, status: NOT_READY }];
  });
}

/** Labels of the group go before those that the sidecar claims. */
function member({ address, namespace = '', labels = {} }: ProxyRef, group: string, spec: WorkloadGroupSpec): WorkloadEntryObject {
  const { ports = {}, serviceAccount = 'default', locality, network, weight } = spec.template ?? {};
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: {
      name: `${group}-${address.replaceAll(/[.:]/g, '-')}`,
      namespace,
      annotations: { ...spec.metadata?.annotations, [SIDECAR_LABEL]: 'joined' },
    },
    spec: {
      ...{ address, ports, serviceAccount, labels: { ...labels, ...spec.metadata?.labels } },
      ...(locality === undefined ? {} : { locality }),
      ...(network ? { network } : {}),
      ...(weight === undefined || weight === 0 ? {} : { weight }),
    },
  };
}
