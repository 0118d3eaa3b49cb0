/** Services as the views show them: who serves, from memory. */
import { type ServiceName, serviceKey } from '@hawser/model/service-host.ts';
import type { FleetAnswer, WhoServesAnswer } from '@hawser/wire/hub-api.ts';
import { resourcesInForce } from '../placement/spec-in-force.ts';
import type { FleetContext } from './fleet-context.ts';
import { statusView } from './status-view.ts';
import { type WhoServesInput, whoServes } from './who-serves.ts';

/** What the page shows: the fleet, and each service as every cluster's clients see it. */
export interface Overview extends FleetAnswer {
  readonly services: readonly ServiceOverview[];
}

/** One service: what each cluster has of it, and where each cluster's requests go. */
export interface ServiceOverview extends WhoServesAnswer {
  readonly cells: readonly { readonly cluster: string; readonly endpoints: number; readonly healthy: number }[];
}

/** Who answers for the service now; undefined when no cluster exports it. */
export function serviceAnswers(
  context: FleetContext,
  service: ServiceName,
  options: Pick<WhoServesInput, 'from' | 'without' | 'drained'> & { readonly policies?: WhoServesInput['policies'] } = {},
): WhoServesAnswer | undefined {
  const key = serviceKey(service);
  const clusters = context.fleet.clusters();
  if (!clusters.some(({ shards, withheld }) => shards.has(key) || withheld.has(key))) return undefined;
  return whoServes({
    service,
    clusters: clusters.map(({ member, shards, withheld }) => ({
      ...{ member, shard: shards.get(key), withheld: withheld.get(key), state: context.fleet.freshness(member.name) },
    })),
    ...options,
    policies: options.policies ?? resourcesInForce(context.distribution.desired?.resources ?? []),
  });
}

/** The answer of `GET /hawser/v1/overview`. */
export function overview(context: FleetContext): Overview {
  const clusters = context.fleet.clusters();
  const names = new Map(
    clusters.flatMap(({ shards }) => [...shards].map(([key, { namespace, service }]) => [key, { namespace, service }])),
  );
  const services = [...names]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, name]) => {
      const answer = serviceAnswers(context, name);
      if (answer === undefined) return [];
      const cells = clusters.flatMap(({ member, shards }) => {
        const shard = shards.get(key);
        return shard === undefined ? [] : [{ cluster: member.name, endpoints: shard.total, healthy: shard.healthy }];
      });
      return [{ ...answer, cells }];
    });
  return { ...statusView(context), services };
}
