/** Machines whose sidecars say that they belong to a WorkloadGroup: each is registered as the group's template says. Pure. */
import type { WorkloadGroupProbe, WorkloadGroupSpec } from '@hawser/model/istio/specs.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import { WORKLOAD_GROUP_LABEL } from '@hawser/model/workload-group.ts';
import type { ProxyRef } from '../state/world.ts';
import { HEALTH_CHECK_ANNOTATION } from './health-check.ts';
import type { WorkloadEntryObject } from './registry-kinds.ts';

/**
 * The workloads of sidecars that joined a group, by address. A sidecar joins only as the account that its token proves and the
 * template names (`default` unless it does): nobody serves in another's name.
 */
export function joinedWorkloads(proxies: readonly ProxyRef[], policies: ReadonlyMap<string, Resource>): WorkloadEntryObject[] {
  return proxies.flatMap((proxy) => {
    const { labels = {}, namespace = '', role, serviceAccount } = proxy;
    const name = labels[WORKLOAD_GROUP_LABEL];
    const group = name === undefined ? undefined : policies.get(resourceKey('WorkloadGroup', namespace, name));
    if (role !== 'sidecar' || group === undefined) return [];
    const spec = group.spec as WorkloadGroupSpec;
    return (spec.template?.serviceAccount ?? 'default') === serviceAccount ? [member(proxy, group.metadata.name, spec)] : [];
  });
}

/** Labels of the group go before those that the sidecar claims. */
function member({ address, namespace = '', labels = {} }: ProxyRef, group: string, spec: WorkloadGroupSpec): WorkloadEntryObject {
  const { ports = {}, serviceAccount = 'default', locality, weight } = spec.template ?? {};
  const check = spec.probe === undefined ? {} : { [HEALTH_CHECK_ANNOTATION]: checkOf(spec.probe) };
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: {
      name: `${group}-${address.replaceAll(/[.:]/g, '-')}`,
      namespace,
      annotations: { ...spec.metadata?.annotations, ...check },
    },
    spec: {
      ...{ address, ports, serviceAccount, labels: { ...labels, ...spec.metadata?.labels } },
      ...(locality === undefined ? {} : { locality }),
      ...(weight === undefined || weight === 0 ? {} : { weight }),
    },
  };
}

function checkOf({ httpGet, tcpSocket }: WorkloadGroupProbe): string {
  if (httpGet !== undefined) return `http:${httpGet.port}${httpGet.path ?? '/'}`;
  return tcpSocket === undefined ? 'tcp' : `tcp:${tcpSocket.port}`;
}
