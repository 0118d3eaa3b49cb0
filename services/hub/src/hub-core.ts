/** The assembly of the hub's core: database, API, access, enrolment. The bus side joins through these types. */
import type { RevokedUser } from '@hawser/bus/nats-accounts.ts';
import type { Finding } from '@hawser/model/analysis/finding.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { counter, gauge, gauges, type Registry } from '@hawser/runtime/metrics.ts';
import type { FastifyInstance } from 'fastify';
import { bootstrapAdmin, createAccess } from './access/access.ts';
import { tokenRoutes } from './access/token-routes.ts';
import { TOKENS_CHANNEL } from './access/token-store.ts';
import { warnOfWrites } from './analysis/write-warnings.ts';
import { auditRoutes } from './audit/audit-routes.ts';
import { AuditTrail } from './audit/audit-trail.ts';
import { type HubIdentity, requireSharedKeys } from './bus/hub-identity-store.ts';
import { clusterBehaviour, joinTokenBehaviour } from './cluster/cluster-kinds.ts';
import { createEnrolment } from './cluster/enrolment.ts';
import { registerEnrolmentRoutes } from './cluster/enrolment-routes.ts';
import { revokedUsers } from './cluster/member-store.ts';
import type { HubConfig } from './config.ts';
import { type Database, isConnectionFailure, openDatabase } from './db/database.ts';
import { listenChannel } from './db/listen-outbox.ts';
import { migrate } from './db/migrate.ts';
import { drainBehaviour } from './drain/drain-behaviour.ts';
import { HEADROOM, OBSERVATION } from './drain/drain-waits.ts';
import { drillBehaviour, type KnownReadiness } from './drill/drill-behaviour.ts';
import { drillRunBehaviour } from './drill/drill-run-behaviour.ts';
import { drillRunRoutes } from './drill/drill-run-routes.ts';
import { auditRefusal } from './http/authorize-requests.ts';
import { closeGracefully } from './http/graceful-close.ts';
import type { RequestBounds } from './http/request-limit.ts';
import { createHttpServer, listen, type ReadinessCheck } from './http/server.ts';
import { operationRoutes } from './operations/operation-routes.ts';
import type { Operations } from './operations/operations.ts';
import { type ApplyRouteParts, applyRoutes } from './resource/apply-routes.ts';
import { createReadModel } from './resource/desired-state-store.ts';
import { byUid, type KindBehaviours } from './resource/kind-behaviour.ts';
import type { ListPage, ListQuery } from './resource/resource-listing.ts';
import type { ListenOutbox, ResourceReadModel } from './resource/resource-read-model.ts';
import { registerResourceRoutes } from './resource/resource-routes.ts';
import { createResourceService, type ResourceService } from './resource/resource-service.ts';
import { OUTBOX_CHANNEL } from './resource/resource-store.ts';
import { WATCH_BOUNDS, Watches } from './resource/watch/watch-routes.ts';
import { WatchSource } from './resource/watch/watch-source.ts';
import { startRetention } from './retention/retention-loop.ts';
import { overrideBehaviour } from './safety/override-behaviour.ts';
import type { RefusedMove } from './safety/refused-moves.ts';
import type { HubDoors } from './serving/hub-doors.ts';
import { trustDomainBehaviour } from './trust/trust-domain-kind.ts';

/** A condition as the Kubernetes API conventions have it. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  /** RFC 3339: since when there is evidence of this status; absent when that is not known. */
  readonly lastTransitionTime?: string;
}

/** What the core asks of the bus side. All of it is answered from memory and never waits. */
export interface FleetView {
  /** Every service that any cluster has by `NAMESPACE/SERVICE`, with its ports; undefined while that is not known (unknown is not empty). */
  knownServices(): ReadonlyMap<string, ReadonlySet<number>> | undefined;
  /** Resources of read-only kinds (`ServiceImport`), derived from what clusters publish. */
  derived(kind: string): readonly Resource[];
  /** Conditions the bus side knows of a stored resource, such as `Programmed` or `Ready`; added on reads to `own`, those that the core makes. */
  conditionsOf(resource: Resource, own: readonly Condition[]): readonly Condition[];
  /** What is probably not meant of resources that are being written, each with what was found about it, in their order. */
  warningsOf?(written: readonly unknown[]): readonly (readonly Finding[])[];
  /** The member's trust domain that has this authority's key, as far as clusters have said. */
  keyOwner?(keyId: string): string | undefined;
  /** The moves that a guard was against last, by its name as permits say it. */
  refusedBy?(guard: string): readonly RefusedMove[];
  /** Calls back when conditions may have changed. Returns how to stop. */
  onChange?(listener: () => void): () => void;
}

/** Makes the NATS credentials of a cluster's agent. */
export type IssueNatsCredentials = (request: {
  readonly cluster: string;
  readonly natsUser: string;
}) => Promise<NatsCredentials> | NatsCredentials;

/** What an agent needs to connect to the bus. `expiresAt` is RFC 3339. */
export interface NatsCredentials {
  readonly jwt: string;
  readonly expiresAt: string;
  readonly urls: readonly string[];
  /** PEM of the CA of `tls://` URLs; none where the system's roots decide. */
  readonly ca?: string | undefined;
}

/** What `createHubCore` is made of. */
export interface HubCoreParts {
  readonly config: HubConfig;
  /** The DSN: `config.databaseUrl`, or that of the embedded server. */
  readonly dsn: string;
  readonly fleet: FleetView;
  readonly issueNatsCredentials: IssueNatsCredentials;
  /** The hub's document-signing public key: the pin in join tokens. */
  readonly signingKeyPublic: string;
  /** Certificate of the API and what join tokens pin; without it the API is plain. */
  readonly doors?: Pick<HubDoors, 'api' | 'caPin'>;
  readonly log: Logger;
  readonly registry: Registry;
  /** How long to wait for a database that is not up yet, milliseconds; default 60 s. */
  readonly databaseDeadlineMs?: number;
  /** What moves traffic in steps; without it specs are in force as they are written. */
  readonly operations?: Operations;
  /** What was found last of the readiness of a drill. */
  readonly drillReadiness?: KnownReadiness;
  /** Further parts that `/readyz` looks at. */
  readonly readiness?: readonly ReadinessCheck[];
  /** Other bounds of watches than the usual ones. */
  readonly watchBounds?: Partial<typeof WATCH_BOUNDS>;
  /** Other bounds of requests than the usual ones. */
  readonly requestBounds?: Partial<RequestBounds>;
}

/** The running core. Add routes to `app` before `listen()`. */
export interface HubCore {
  /** Every route needs a line in `access/permissions.ts`: one without is refused to everybody. */
  readonly app: FastifyInstance;
  readonly database: Database;
  readonly readModel: ResourceReadModel;
  readonly resources: ResourceService;
  readonly listenOutbox: ListenOutbox;
  /** Throws `keys-differ` when another hub's keys are this database's. */
  requireSharedKeys(identity: HubIdentity): Promise<void>;
  /** Users of NATS whose credentials are void: of clusters that were removed, or joined again with others. */
  revokedUsers(): Promise<readonly RevokedUser[]>;
  /** Whether the last statement reached PostgreSQL. */
  databaseUp(): boolean;
  /** Binds `config.address:config.port`; throws `port-taken`. Returns the URL. */
  listen(): Promise<string>;
  stop(): Promise<void>;
}

const DATABASE_DEADLINE_MS = 60_000;
/** Within the 15 s that the process gives itself to stop. */
const CLOSE_DEADLINE_MS = 10_000;

/** A hub that comes up before its database waits for it; anything else that is wrong with it ends the start. */
async function migrateWhenReachable(dsn: string, log: Logger, deadlineMs: number): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      const applied = await migrate(dsn);
      if (applied.length > 0) log.info({ applied }, 'the database was migrated');
      return;
    } catch (error) {
      if (!isConnectionFailure(error) || Date.now() >= deadline) throw error;
      if (attempt === 0) log.warn({ error: messageOf(error) }, 'waiting for the database');
      await sleep(backoffMs(attempt, { baseMs: 100, maxMs: 2_000 }));
    }
  }
}

function databaseCheck(database: Database): ReadinessCheck {
  return { name: 'database', check: async () => ((await database.probe()) ? undefined : 'the database cannot be reached') };
}

function registerPoolMetrics(registry: Registry, database: Database): void {
  gauges(registry, 'hub_database_connections', () => {
    const { total, idle } = database.pool();
    return [
      [{ state: 'idle' }, idle],
      [{ state: 'busy' }, total - idle],
    ];
  });
  gauge(registry, 'hub_database_waiting', () => database.pool().waiting);
}

/** Migrates the database and assembles the core without listening. Throws `database-newer`, `database-unavailable`. */
export async function createHubCore(parts: HubCoreParts): Promise<HubCore> {
  const { config, dsn, log, fleet, signingKeyPublic } = parts;
  await migrateWhenReachable(dsn, log, parts.databaseDeadlineMs ?? DATABASE_DEADLINE_MS);
  const database = openDatabase(dsn, log);
  const access = createAccess(database, await bootstrapAdmin(database, config.stateDir));
  const dropped = counter(parts.registry, 'hub_audit_dropped_total');
  const trail = new AuditTrail({ database, log, onDropped: () => dropped.inc() });
  registerPoolMetrics(parts.registry, database);
  const tokens = listenChannel({ dsn, channel: TOKENS_CHANNEL, log, hint: () => access.forget() });
  const closing = new AbortController();
  const stopping: ReadinessCheck = { name: 'shutdown', check: () => (closing.signal.aborted ? 'the hub is stopping' : undefined) };
  const app = createHttpServer({
    access,
    trail,
    log,
    registry: parts.registry,
    readiness: [stopping, databaseCheck(database), ...(parts.readiness ?? [])],
    tls: parts.doors?.api,
    bounds: parts.requestBounds,
  });
  const listenOutbox: ListenOutbox = (hint) => listenChannel({ dsn, channel: OUTBOX_CHANNEL, log, hint });
  let publicUrl = config.publicUrl;
  const own: KindBehaviours = {
    Cluster: clusterBehaviour,
    TrustDomain: trustDomainBehaviour((keyId) => fleet.keyOwner?.(keyId)),
    Drain: { ...drainBehaviour, ...overrideBehaviour([HEADROOM, OBSERVATION]) },
    TrafficShift: overrideBehaviour(),
    SafetyRule: { statuses: async (_tx, rules) => byUid(rules, (name) => ({ refused: fleet.refusedBy?.(name) ?? [] })) },
    Freeze: { statuses: async (_tx, freezes) => byUid(freezes, (name) => ({ refused: fleet.refusedBy?.(`freeze/${name}`) ?? [] })) },
    Drill: drillBehaviour(parts.drillReadiness ?? (() => undefined)),
    DrillRun: drillRunBehaviour,
    JoinToken: joinTokenBehaviour({ publicUrl: () => publicUrl, pin: signingKeyPublic, caPin: parts.doors?.caPin }),
  };
  const behaviours = parts.operations?.behaviours(own) ?? own;
  const resources = createResourceService({ database, fleet, behaviours });
  const source = new WatchSource({ database, fleet, behaviours, listenOutbox, log });
  const stopHints = fleet.onChange?.(() => source.hint());
  const list = (query: ListQuery): Promise<ListPage> => resources.list(query);
  const cutOff = counter(parts.registry, 'hub_watches_cut_off_total');
  const bounds = { ...WATCH_BOUNDS, ...parts.watchBounds, closing: closing.signal, onCutOff: () => cutOff.inc() };
  const watches = new Watches({ ...bounds, source, list });
  gauge(parts.registry, 'hub_watches', () => watches.open);
  warnOfWrites(app, fleet, log);
  registerResourceRoutes(app, resources, watches);
  const onRefused: ApplyRouteParts['onRefused'] = (request, resource, status) => auditRefusal(trail, request, { resource, status });
  applyRoutes(app, { database, fleet, behaviours, onRefused });
  if (parts.operations !== undefined) {
    operationRoutes(app, { operations: parts.operations, database, resources });
    drillRunRoutes(app, { operations: parts.operations, database, resources });
  }
  registerEnrolmentRoutes(app, createEnrolment({ database, issueNatsCredentials: parts.issueNatsCredentials, signingKeyPublic }));
  tokenRoutes(app, { database, access });
  auditRoutes(app, database);
  const { historyKeepDays = 90, historyKeepRevisions = 100_000, auditKeepDays = 365, trafficKeepDays = 7 } = config;
  const retention = startRetention({ database, log, bounds: { historyKeepDays, historyKeepRevisions, auditKeepDays, trafficKeepDays } });
  return {
    app,
    database,
    resources,
    readModel: createReadModel(database, log),
    listenOutbox,
    requireSharedKeys: (identity) => requireSharedKeys(database, identity, config.keysDir),
    revokedUsers: () => database.transaction(revokedUsers),
    databaseUp: () => database.up(),
    listen: async () => {
      const url = await listen(app, config.address, config.port);
      if (config.port === 0) publicUrl = url;
      return url;
    },
    stop: async () => {
      closing.abort();
      stopHints?.();
      await closeGracefully(app, CLOSE_DEADLINE_MS);
      await retention.stop();
      await source.stop();
      await tokens.stop();
      await trail.stop();
      await database.close();
    },
  };
}
