/** What the rotation of a drill would do, and what stands against it, by what agents account for. */
import type { DrillSpec } from '@hawser/model/drill.ts';
import type { Refusal } from '../drain/drain-evidence.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { evidenceFor } from '../trust/fleet-evidence.ts';

/** Clusters that trust the one whose authority it is, itself included, by name. */
export function trustingClusters(context: FleetContext, cluster: string): readonly string[] {
  return evidenceFor(context, cluster).members.map((member) => member.cluster);
}

/** Why it may not begin. */
export function rotationRefusal(context: FleetContext, { cluster = '' }: DrillSpec['scenario']): Refusal | undefined {
  for (const { status } of context.accounts.replicas(cluster)) {
    if (status === undefined) continue;
    if (status.trust === undefined)
      return { rule: 'rotation', message: `the agent of ${cluster} is of a release that cannot rotate: upgrade it` };
    const { order } = status.trust;
    if (order === undefined || order.phase === 'retire' || order.refusal !== undefined) continue;
    const message = `the rotation ${order.rotation} of ${cluster} is under way (${order.phase}): let it end, or roll it back: hawser trust rotate ${cluster} --rollback`;
    return { rule: 'rotation-under-way', message };
  }
  return undefined;
}

/** The rotation in sentences. */
export function rotationCourse(context: FleetContext, { cluster = '', authority = 'root' }: DrillSpec['scenario']): string[] {
  const { members } = evidenceFor(context, cluster);
  const counted = members
    .filter((member) => authority === 'root' || member.cluster === cluster)
    .map((member) => `${member.cluster} (${member.agents.reduce((sum, { proxies }) => sum + proxies.length, 0)} proxies)`);
  return [
    `a new ${authority} of ${cluster} in place of the one it has; it must be acknowledged by ${counted.join(', ')}`,
    'Preparing: it is made and trusted; Activating: it signs; Tainting: nobody is left with the old one; Retiring: the old one goes',
    'nothing is restored in the end: the cluster keeps the new one. What is given up before Retiring is rolled back, and later goes to its end',
  ];
}
