/** What DestinationRules say of TLS against what the servers take: mutual TLS of the mesh, unless a PeerAuthentication says otherwise. */
import type { DestinationRuleSpec } from '../../istio/specs.ts';
import { parseServiceKey } from '../../service-host.ts';
import { type Finding, finding } from '../finding.ts';
import { hostText, isWildcard, keyOf } from '../hosts.ts';
import { isObject, type Subject } from '../subject.ts';
import type { World } from '../world.ts';
import { ROOT_NAMESPACE, trafficPoliciesOf } from './destination-rule-findings.ts';

type ServerMode = 'STRICT' | 'PERMISSIVE' | 'DISABLE';

/** HW0303, HW0304. */
export function tlsConflicts(subject: Subject<DestinationRuleSpec>, world: World): Finding[] {
  const key = keyOf(subject.spec.host, subject.namespace);
  const isOutside = key.startsWith('*/') && !isMeshInternal(key, world);
  return trafficPoliciesOf(subject.spec).flatMap(({ field, policy }) => {
    const mode = policy.tls?.mode;
    if (mode === undefined) return [];
    const place = { at: subject, field: `${field}.tls.mode` };
    if (isOutside) {
      if (mode !== 'ISTIO_MUTUAL' || isWildcard(key)) return [];
      return [finding('HW0304', place, `${hostText(key)} is outside of the mesh and has no identity of it`)];
    }
    const server = key.startsWith('*/') ? 'STRICT' : serverMode(parseServiceKey(key).namespace, world);
    if (mode === 'ISTIO_MUTUAL') {
      return server === 'DISABLE' ? [finding('HW0303', place, `servers of ${hostText(key)} take no TLS, by their PeerAuthentication`)] : [];
    }
    if (server !== 'STRICT' && (mode === 'DISABLE' || server === 'PERMISSIVE')) return [];
    return [finding('HW0303', place, `is ${mode}, and servers of ${hostText(key)} take mutual TLS of the mesh alone`)];
  });
}

function isMeshInternal(key: string, world: World): boolean {
  return world.entriesOf(key).some(({ spec }) => spec.location === 'MESH_INTERNAL');
}

/** What servers of a namespace take; those that a selector singles out are left out. */
function serverMode(namespace: string, world: World): ServerMode {
  for (const place of [namespace, ROOT_NAMESPACE]) {
    for (const policy of world.of('PeerAuthentication')) {
      if (policy.namespace !== place || !isObject(policy.spec) || isObject(policy.spec['selector'])) continue;
      const mtls = policy.spec['mtls'];
      const mode = isObject(mtls) ? mtls['mode'] : undefined;
      if (mode === 'STRICT' || mode === 'PERMISSIVE' || mode === 'DISABLE') return mode;
    }
  }
  return 'STRICT';
}
