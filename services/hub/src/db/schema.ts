/** The tables of `migrations/` as drizzle sees them. The SQL there decides; this follows. */
import type { JoinTokenSpec } from '@hawser/model/kind-specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { Role } from '@hawser/wire/access.ts';
import type { TrendEntry } from '@hawser/wire/drill-report.ts';
import type { FoundState } from '@hawser/wire/found-policies.ts';
import type { NotificationEvent } from '@hawser/wire/notifications.ts';
import type { TrustOrder } from '@hawser/wire/trust.ts';
import { sql } from 'drizzle-orm';
import { bigint, boolean, customType, integer, jsonb, pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import type { OperationState } from '../operations/operation-kind.ts';
import type { SavedStream } from '../traffic/report-stream.ts';
import type { Rotation } from '../trust/rotation-state.ts';

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' });
const whole = (name: string) => bigint(name, { mode: 'number' });

/** What a committed write did. */
export type WriteAction = 'create' | 'update' | 'delete';

/** One row: the epoch, the last revision, and where the log of this epoch begins. */
export const hubMeta = pgTable('hub_meta', {
  singleton: boolean('singleton').primaryKey(),
  epoch: whole('epoch').notNull(),
  revision: whole('revision').notNull(),
  epochStart: whole('epoch_start').notNull().default(0),
});

/** The desired state. */
export const resources = pgTable(
  'resources',
  {
    kind: text('kind').notNull(),
    namespace: text('namespace').notNull(),
    name: text('name').notNull(),
    uid: uuid('uid').notNull(),
    generation: whole('generation').notNull(),
    revision: whole('revision').notNull(),
    labels: jsonb('labels').$type<Readonly<Record<string, string>>>().notNull(),
    annotations: jsonb('annotations').$type<Readonly<Record<string, string>>>().notNull(),
    spec: jsonb('spec').$type<unknown>().notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.kind, table.namespace, table.name] })],
);
/** One stored resource. Cluster-scoped kinds have the namespace ''. */
export type ResourceRow = typeof resources.$inferSelect;

/** Every write after the floor; up to it, what the state at it was made of. */
export const history = pgTable('history', {
  revision: whole('revision').primaryKey(),
  kind: text('kind').notNull(),
  namespace: text('namespace').notNull(),
  name: text('name').notNull(),
  action: text('action').$type<WriteAction>().notNull(),
  actor: text('actor').notNull(),
  at: instant('at').notNull(),
  resource: jsonb('resource').$type<Resource>().notNull(),
  traceId: text('trace_id').notNull(),
  reason: text('reason').notNull().default(''),
});

/** One row: the history is whole after this revision. */
export const historyFloor = pgTable('history_floor', {
  singleton: boolean('singleton').primaryKey(),
  revision: whole('revision').notNull(),
});

/** Writes not yet on the bus. */
export const outbox = pgTable('outbox', {
  revision: whole('revision').primaryKey(),
  kind: text('kind').notNull(),
  namespace: text('namespace').notNull(),
  name: text('name').notNull(),
  action: text('action').$type<WriteAction>().notNull(),
  at: instant('at').notNull(),
  traceId: text('trace_id').notNull(),
});

/** One row: the newest published revision. */
export const outboxProgress = pgTable('outbox_progress', {
  singleton: boolean('singleton').primaryKey(),
  published: whole('published').notNull(),
});

/** Hashed secrets of join tokens. */
export const joinTokens = pgTable('join_tokens', {
  name: text('name').primaryKey(),
  secretHash: bytea('secret_hash').notNull(),
  cluster: text('cluster').notNull(),
  spec: jsonb('spec').$type<JoinTokenSpec>().notNull(),
  expiresAt: instant('expires_at').notNull(),
  usedAt: instant('used_at'),
});

/** Enrolled clusters. */
export const members = pgTable('members', {
  cluster: text('cluster').primaryKey(),
  signingKey: text('signing_key').notNull(),
  epoch: whole('epoch').notNull(),
  natsUser: text('nats_user').notNull(),
  enrolledAt: instant('enrolled_at').notNull(),
  /** Null: `CLUSTER.hawser`. */
  trustDomain: text('trust_domain'),
});

/** Bundles of trust domains outside of the federation. */
export const externalBundles = pgTable('external_bundles', {
  trustDomain: text('trust_domain').primaryKey(),
  certificates: jsonb('certificates').$type<readonly string[]>(),
  sequence: text('sequence'),
  refreshSeconds: integer('refresh_seconds'),
  fetchedAt: instant('fetched_at'),
  nextAt: instant('next_at'),
  problem: text('problem').notNull().default(''),
  held: text('held').notNull().default(''),
});

/** Sequences of the bundles that the hub serves. */
export const servedBundles = pgTable('served_bundles', {
  trustDomain: text('trust_domain').primaryKey(),
  digest: text('digest').notNull(),
  sequence: whole('sequence').notNull(),
});

/** Hashed bearer tokens. */
export const apiTokens = pgTable('api_tokens', {
  id: uuid('id').primaryKey(),
  name: text('name').notNull(),
  tokenHash: bytea('token_hash').notNull(),
  issuedTo: text('issued_to').notNull(),
  createdAt: instant('created_at').notNull(),
  role: text('role').$type<Role>().notNull(),
  namespaces: text('namespaces').array(),
  groups: text('groups').array(),
  expiresAt: instant('expires_at'),
  createdBy: text('created_by').notNull(),
});

/** What came of a request. */
export type AuditOutcome = 'allowed' | 'denied' | 'failed';

/** Who did what; rows are never changed, and go by `audit_purge` alone. */
export const audit = pgTable('audit', {
  id: whole('id').primaryKey().generatedAlwaysAsIdentity(),
  at: instant('at').notNull().default(sql`clock_timestamp()`),
  actor: text('actor').notNull(),
  role: text('role').notNull(),
  verb: text('verb').notNull(),
  kind: text('kind').notNull(),
  namespace: text('namespace').notNull(),
  name: text('name').notNull(),
  revision: whole('revision'),
  outcome: text('outcome').$type<AuditOutcome>().notNull(),
  code: integer('code').notNull(),
  reason: text('reason').notNull(),
  source: text('source').notNull(),
  traceId: text('trace_id').notNull(),
});

/** One row: which replica publishes, and until when it is believed to. */
export const hubLeader = pgTable('hub_leader', {
  singleton: boolean('singleton').primaryKey(),
  term: whole('term').notNull(),
  holder: text('holder').notNull(),
  address: text('address').notNull(),
  expiresAt: instant('expires_at').notNull(),
});

/** One row: the public halves of the keys that all replicas share. */
export const hubIdentity = pgTable('hub_identity', {
  singleton: boolean('singleton').primaryKey(),
  signingKey: text('signing_key').notNull(),
  natsAccount: text('nats_account').notNull(),
});

/** Users of NATS that may not connect any more. */
export const revokedNatsUsers = pgTable('revoked_nats_users', {
  natsUser: text('nats_user').primaryKey(),
  cluster: text('cluster').notNull(),
  revokedAt: instant('revoked_at').notNull(),
  purgedAt: instant('purged_at'),
});

/** Rotations of the clusters' authorities. */
export const rotations = pgTable('rotations', {
  id: text('id').primaryKey(),
  cluster: text('cluster').notNull(),
  phase: text('phase').$type<Rotation['phase']>().notNull(),
  state: jsonb('state').$type<Rotation>().notNull(),
  order: jsonb('trust_order').$type<TrustOrder>(),
  createdAt: instant('created_at').notNull(),
});

/** Operations: the lives of resources that move traffic in steps. */
export const operations = pgTable('operations', {
  id: whole('id').primaryKey().generatedAlwaysAsIdentity(),
  kind: text('kind').notNull(),
  namespace: text('namespace').notNull(),
  name: text('name').notNull(),
  uid: uuid('uid').notNull(),
  generation: whole('generation').notNull(),
  phase: text('phase').notNull(),
  state: jsonb('state').$type<OperationState>().notNull(),
  inForce: jsonb('in_force').$type<unknown>(),
  inForceRevision: whole('in_force_revision'),
  clockMs: whole('clock_ms').notNull().default(0),
  clockAt: instant('clock_at').notNull().default(sql`clock_timestamp()`),
  createdAt: instant('created_at').notNull().default(sql`clock_timestamp()`),
  endedAt: instant('ended_at'),
});
/** Measured traffic by the minute. */
export const trafficMinutes = pgTable(
  'traffic_minutes',
  {
    minute: instant('minute').notNull(),
    source: text('source').notNull(),
    service: text('service').notNull(),
    cluster: text('cluster').notNull(),
    region: text('region').notNull(),
    zone: text('zone').notNull(),
    version: text('version').notNull(),
    counts: whole('counts').array().notNull(),
  },
  ({ minute, source, service, cluster, region, zone, version }) => [
    primaryKey({ columns: [minute, source, service, cluster, region, zone, version] }),
  ],
);

/** Seconds of a minute that are known of a cluster's callers. */
export const trafficCoverage = pgTable(
  'traffic_coverage',
  { minute: instant('minute').notNull(), source: text('source').notNull(), seconds: integer('seconds').notNull() },
  ({ minute, source }) => [primaryKey({ columns: [minute, source] })],
);

/** What each agent had told when the minutes were written. */
export const trafficStreams = pgTable(
  'traffic_streams',
  {
    cluster: text('cluster').notNull(),
    replica: text('replica').notNull(),
    instance: text('instance').notNull(),
    at: instant('at').notNull(),
    series: jsonb('series').$type<SavedStream['series']>().notNull(),
  },
  ({ cluster, replica }) => [primaryKey({ columns: [cluster, replica] })],
);

/** What webhook sinks are to be told. */
export const notifications = pgTable('notifications', {
  id: whole('id').primaryKey().generatedAlwaysAsIdentity(),
  sink: text('sink').notNull(),
  event: jsonb('event').$type<NotificationEvent>().notNull(),
  createdAt: instant('created_at').notNull().default(sql`clock_timestamp()`),
  attempts: integer('attempts').notNull().default(0),
  nextAt: instant('next_at').notNull().default(sql`clock_timestamp()`),
  problem: text('problem').notNull().default(''),
  givenUpAt: instant('given_up_at'),
});

/** What webhook sinks have taken. */
export const notificationSinks = pgTable('notification_sinks', {
  sink: text('sink').primaryKey(),
  delivered: whole('delivered').notNull().default(0),
  deliveredAt: instant('delivered_at'),
});

/** One row: up to which revision sinks were told. */
export const notificationProgress = pgTable('notification_progress', {
  singleton: boolean('singleton').primaryKey().default(true),
  revision: whole('revision').notNull(),
});

/** Keys that reports of drills are signed with; the private one is sealed. */
export const drillReportKeys = pgTable('drill_report_keys', {
  keyId: text('key_id').primaryKey(),
  publicKey: text('public_key').notNull(),
  sealed: bytea('sealed').notNull(),
  createdAt: instant('created_at').notNull().default(sql`clock_timestamp()`),
  retiredAt: instant('retired_at'),
});

/** Signed reports of drills. */
export const drillReports = pgTable(
  'drill_reports',
  {
    run: text('run').notNull(),
    requestedAt: instant('requested_at').notNull(),
    drill: text('drill').notNull(),
    mode: text('mode').notNull(),
    outcome: text('outcome').notNull(),
    endedAt: instant('ended_at').notNull(),
    createdAt: instant('created_at').notNull().default(sql`clock_timestamp()`),
    keepUntil: instant('keep_until').notNull(),
    summary: jsonb('summary').$type<Omit<TrendEntry, 'digest'>>().notNull(),
    document: text('document').notNull(),
    digest: text('digest').notNull(),
    signature: text('signature').notNull(),
    keyId: text('key_id').notNull(),
  },
  ({ run, requestedAt }) => [primaryKey({ columns: [run, requestedAt] })],
);

/** What became of policy in the API servers of member clusters. */
export const foundPolicies = pgTable(
  'found_policies',
  {
    cluster: text('cluster').notNull(),
    kind: text('kind').notNull(),
    namespace: text('namespace').notNull(),
    name: text('name').notNull(),
    uid: text('uid').notNull(),
    generation: whole('generation').notNull(),
    state: text('state').$type<FoundState>().notNull(),
    reason: text('reason').notNull(),
    resource: jsonb('resource').$type<Resource>(),
    since: instant('since').notNull(),
  },
  ({ cluster, kind, namespace, name }) => [primaryKey({ columns: [cluster, kind, namespace, name] })],
);
