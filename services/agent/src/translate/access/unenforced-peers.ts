/** PeerAuthentication that nobody enforces: of workloads without a sidecar, which plain callers reach without their gateway (decision 0040). Pure. */
import { serviceKey } from '@hawser/model/service-host.ts';
import type { World } from '../../state/world.ts';
import { type ExtensionPolicies, extensionPolicies } from '../telemetry/extension-policies.ts';
import { modeAt, peerModes } from './peer-modes.ts';

/** A sentence that names the own namespaces where STRICT is asked for and does not hold; none where there are none. */
export function unenforcedPeers({
  self,
  clusters,
  shards,
  policies,
}: Pick<World, 'self' | 'clusters' | 'shards' | 'policies'>): readonly string[] {
  // Most clusters never had a bare endpoint: theirs are not looked through after each change.
  if (clusters.get(self)?.speaksForWorkloads !== true) return [];
  const before = known.get(shards);
  if (before?.policies === policies) return before.found;
  const found = sentences({ self, shards }, extensionPolicies(policies));
  known.set(shards, { policies, found });
  return found;
}

/** Asked again and again, while little changes. */
const known = new WeakMap<World['shards'], { readonly policies: World['policies']; readonly found: readonly string[] }>();

function sentences({ self, shards }: Pick<World, 'self' | 'shards'>, policies: ExtensionPolicies): readonly string[] {
  if (policies.peers.length === 0) return [];
  const strict = new Set<string>();
  for (const parts of shards.values()) {
    const own = parts.get(self);
    if (own === undefined || strict.has(own.namespace)) continue;
    const isStrict = own.endpoints.some(({ bare, labels, targetPorts }) => {
      if (bare !== true) return false;
      const workload = { name: '', namespace: own.namespace, cluster: self, labels, services: new Set([serviceKey(own)]) };
      const modes = peerModes(workload, policies);
      return Object.values(targetPorts).some((port) => modeAt(modes, port) === 'STRICT');
    });
    if (isStrict) strict.add(own.namespace);
  }
  if (strict.size === 0) return [];
  return [
    `PeerAuthentication STRICT is not enforced for workloads without a sidecar in ${[...strict].sort().join(', ')}: plain callers inside of the cluster reach them without its gateways; let a NetworkPolicy admit hawser-gateway Pods alone, or give them sidecars`,
  ];
}
