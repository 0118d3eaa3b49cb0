/** The routes that need the bus, beside those of the core. */
import type { Bus } from '@hawser/bus/bus.ts';
import type { Signer } from '@hawser/wire/signing.ts';
import { adoptionRoutes } from './adoption/adoption-routes.ts';
import type { FoundAccounts } from './adoption/found-accounts.ts';
import { analysisRoutes } from './analysis/analysis-routes.ts';
import { diffRoutes } from './diff/diff-routes.ts';
import { drainRoutes } from './drain/drain-routes.ts';
import { drillViewRoutes } from './drill/drill-view-routes.ts';
import type { ReadinessKeeper } from './drill/readiness-keeper.ts';
import { drillReportRoutes } from './drill-report/report-routes.ts';
import type { Fleet } from './fleet/create-fleet.ts';
import { explainRouteRoutes } from './fleet/explain-route-routes.ts';
import { fleetRoutes } from './fleet/fleet-routes.ts';
import { proxyConfigRoutes } from './fleet/proxy-config-routes.ts';
import { rolloutRoutes } from './fleet/rollout-routes.ts';
import { strictReadinessRoutes } from './fleet/strict-readiness-routes.ts';
import type { HubCore } from './hub-core.ts';
import { type NotificationParts, notificationRoutes } from './notify/notification-routes.ts';
import { openApiRoutes } from './openapi/openapi-routes.ts';
import { pageRoutes } from './page/page-routes.ts';
import type { RunningTraffic } from './traffic/start-traffic.ts';
import { trafficRoutes } from './traffic/traffic-routes.ts';
import { rotationRoutes } from './trust/rotation-routes.ts';
import { RotationService } from './trust/rotation-service.ts';
import { trustDomainRoutes } from './trust/trust-domain-routes.ts';

/** What they need. */
export interface HubRouteParts {
  readonly fleet: Pick<Fleet, 'context' | 'onChange'>;
  readonly bus: Bus;
  readonly signer: Signer;
  readonly traffic: RunningTraffic;
  readonly readiness: ReadinessKeeper;
  /** What clusters say of policy of their own. */
  readonly found: FoundAccounts;
  /** Ends what waits when the hub stops. */
  readonly signal: AbortSignal;
  /** How webhook sinks do; without it there are none. */
  readonly notifications?: NotificationParts;
  /** Called when an operator changed a rotation. */
  readonly onRotation?: () => void;
}

/** Adds them all. Each needs a line in `access/permissions.ts`. */
export function addHubRoutes({ app, resources, database }: Pick<HubCore, 'app' | 'resources' | 'database'>, parts: HubRouteParts): void {
  const { fleet, bus, signer, signal } = parts;
  const { context, onChange } = fleet;
  fleetRoutes(app, context);
  drillReportRoutes(app, database);
  adoptionRoutes(app, { database, context, accounts: parts.found });
  drainRoutes(app, { database, context, traffic: () => parts.traffic.memory });
  drillViewRoutes(app, { context, resources, traffic: () => parts.traffic.memory, readiness: parts.readiness });
  rolloutRoutes(app, { context, onChange, signal });
  proxyConfigRoutes(app, { context, bus, signer });
  explainRouteRoutes(app, { context, bus, signer });
  strictReadinessRoutes(app, { context, bus, signer });
  diffRoutes(app, { context, bus, signer, resources });
  analysisRoutes(app, context);
  rotationRoutes(app, new RotationService({ database, context, onChange: () => parts.onRotation?.() }));
  trustDomainRoutes(app, { context, database });
  trafficRoutes(app, { ...parts.traffic, database, signal });
  notificationRoutes(app, parts.notifications);
  pageRoutes(app, context);
  openApiRoutes(app, context.version);
}
