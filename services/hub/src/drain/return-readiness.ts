/** What comes back must speak, and be healthy. */
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { Refusal } from './drain-evidence.ts';

/** Of the endpoints that are meant to serve, this part must be healthy before traffic comes back. */
const READY = 0.8;

/** Why clusters may not get the requests of services (`NAMESPACE/NAME`) again; undefined when they may. */
export function unfitToReturn(
  { fleet }: Pick<FleetContext, 'fleet'>,
  { clusters, services }: { readonly clusters: readonly string[]; readonly services: readonly string[] },
): Refusal | undefined {
  for (const name of clusters) {
    if (fleet.freshness(name) !== 'KNOWN') return { rule: 'readiness', message: `nothing was heard of ${name} lately` };
    for (const key of services) {
      const { total = 0, healthy = 0, draining = 0 } = fleet.cluster(name)?.shards.get(key) ?? {};
      if (healthy < (total - draining) * READY)
        return {
          rule: 'readiness',
          message: `${healthy} of ${total} endpoints of ${key} in ${name} are healthy, ${READY * 100} % must be`,
        };
    }
  }
  return undefined;
}
