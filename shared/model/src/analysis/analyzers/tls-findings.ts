/** What DestinationRules say of TLS against what the servers take of callers of the mesh: its mutual TLS, whatever a PeerAuthentication lets others do. */
import type { DestinationRuleSpec } from '../../istio/specs.ts';
import { type Finding, finding } from '../finding.ts';
import { hostText, isWildcard, keyOf } from '../hosts.ts';
import type { Subject } from '../subject.ts';
import type { World } from '../world.ts';
import { trafficPoliciesOf } from './destination-rule-findings.ts';

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
    if (mode === 'ISTIO_MUTUAL') return [];
    return [finding('HW0303', place, `is ${mode}, and servers of ${hostText(key)} take mutual TLS of the mesh alone`)];
  });
}

function isMeshInternal(key: string, world: World): boolean {
  return world.entriesOf(key).some(({ spec }) => spec.location === 'MESH_INTERNAL');
}
