/** What one update of the translator puts together before any of it is given. */
import type { XdsResource } from '../snapshot/resource.ts';
import type { World } from '../state/world.ts';
import type { SaidOf } from './address-index.ts';
import type { Fleet } from './fleet.ts';
import type { Indexes } from './indexes.ts';
import type { ServedPort } from './listeners/inbound.ts';
import type { TcpService } from './listeners/tcp-ports.ts';
import type { CompiledWorkloads } from './listeners/workloads.ts';
import type { Placed } from './resource-ledger.ts';
import type { StagedHosts } from './routes/route-table.ts';
import type { StagedViews } from './scope/scope-views.ts';
import type { CompiledService } from './services/compiled-service.ts';

/** One update in the making; nothing of it is kept when a check fails. */
export interface Draft extends Indexes {
  readonly world: World;
  readonly fleet: Fleet;
  /** Changed services; undefined: gone. */
  readonly services: Map<string, CompiledService | undefined>;
  /** Undefined while no virtual host differs. */
  routes: StagedHosts | undefined;
  gatewayRoutes: StagedHosts | undefined;
  readonly served: Map<string, SaidOf<readonly ServedPort[]>>;
  readonly labels: Map<string, SaidOf<Readonly<Record<string, string>>>>;
  /** By service; undefined: none of its workloads is without a sidecar. */
  readonly workloads: Map<string, CompiledWorkloads | undefined>;
  readonly units: Map<string, readonly Placed[]>;
  base: readonly XdsResource[];
  views: StagedViews | undefined;
  tcp: readonly TcpService[];
}
