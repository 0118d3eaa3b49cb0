/** What ran in a run, as the parts say of themselves. */
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';

type Versions = DrillEvidence['versions'];

/** Of everything but the database, which says so itself. */
export function versionsOf({
  accounts,
  bus,
  distribution,
  version: hub,
}: Pick<FleetContext, 'accounts' | 'bus' | 'distribution' | 'version'>): Versions {
  const statuses = (distribution.desired?.members ?? []).flatMap(({ name }) => {
    const status = accounts.get(name)?.status;
    return status === undefined ? [] : [{ cluster: name, status }];
  });
  return {
    hub,
    agents: statuses.map(({ cluster, status: { version } }) => ({ cluster, version })),
    envoys: statuses.flatMap(({ cluster, status: { proxies } }) => {
      const byVersion = Map.groupBy(proxies, ({ version = '' }) => version);
      return [...byVersion]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([version, all]) => ({ cluster, version: version === '' ? UNTOLD : version, proxies: all.length }));
    }),
    servers: bus.serverVersion === undefined || bus.serverVersion === '' ? [] : [{ name: 'NATS', version: bus.serverVersion }],
  };
}

/** Of proxies that do not say what they are. */
const UNTOLD = 'not told';
