/** Every metric of hub and agent: the one place of names, types, helps and labels. Prometheus' naming: base units, `_total`, `_seconds`. */

/** One metric. A label never carries an id without bound, such as a proxy's. */
export interface MetricSpec {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram. */
  readonly buckets?: readonly number[];
}

const REQUEST_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];
const CONVERGENCE_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** The catalogue; `docs/metrics.md` is made from it. */
export const METRICS = {
  hub_audit_dropped_total: { type: 'counter', help: 'Refusals and failures that did not get into the audit', labels: [] },
  hub_bus_connected: { type: 'gauge', help: '1 while NATS is connected', labels: [] },
  hub_bus_reconnects_total: { type: 'counter', help: 'Connections to NATS after the first one', labels: [] },
  hub_cluster_policies: {
    ...{ type: 'gauge', labels: ['cluster', 'state'] },
    help: "Policy found in a cluster's own API server, by what became of it: Adopted, ReadOnly, Conflict or Refused; given by the leading replica",
  },
  hub_clusters: { type: 'gauge', help: 'Clusters by how fresh their word is', labels: ['state'] },
  hub_convergence_seconds: {
    ...{ type: 'histogram', labels: [], buckets: CONVERGENCE_SECONDS },
    help: 'Commit of a revision until the last proxy it concerns has answered; counted by the leading replica',
  },
  hub_database_connections: { type: 'gauge', help: 'Connections of the pool by what they do', labels: ['state'] },
  hub_database_waiting: { type: 'gauge', help: 'Transactions that wait for a connection', labels: [] },
  hub_documents_published_total: { type: 'counter', help: 'Documents handed to the bus because they changed', labels: [] },
  hub_drain_active: { type: 'gauge', help: 'Drains under way by their phase; given by the leading replica', labels: ['drain', 'phase'] },
  hub_drain_expiry_timestamp_seconds: {
    ...{ type: 'gauge', labels: ['drain'] },
    help: 'When a drain under way expires, seconds since 1970; given by the leading replica',
  },
  hub_drill_next_start_timestamp_seconds: {
    ...{ type: 'gauge', labels: ['drill'] },
    help: 'When the schedule of a Drill starts it next, seconds since 1970; of those that windows and freezes allow',
  },
  hub_drill_overdue_seconds: {
    ...{ type: 'gauge', labels: ['drill'] },
    help: 'For how long no live run of a Drill has passed beyond its overdueAfter, 0 while it is not overdue; given by every replica',
  },
  hub_drill_ready: { type: 'gauge', help: '1 while a Drill could begin, 0 when it needs attention', labels: ['drill'] },
  hub_drill_unfit_reports_total: {
    type: 'counter',
    help: 'Reports of runs that were stored though they are not as their schema says: a mistake of the hub, whose log names it',
    labels: [],
  },
  hub_event_loop_lag_seconds: { type: 'gauge', help: 'Delay of the event loop since the last scrape, 99th percentile', labels: [] },
  hub_http_bytes_under_way: { type: 'gauge', help: 'Bodies of requests under way and answers to them that are not read yet', labels: [] },
  hub_http_refused_requests_total: {
    type: 'counter',
    help: 'Requests that were refused with 429 because too many were under way',
    labels: [],
  },
  hub_http_request_seconds: {
    ...{ type: 'histogram', labels: ['method', 'route', 'code'], buckets: REQUEST_SECONDS },
    help: 'Time to answer an HTTP request, by route and status',
  },
  hub_http_requests_under_way: { type: 'gauge', help: 'Requests that are counted against the bound of 400', labels: [] },
  hub_leader_term: { type: 'gauge', help: 'The term in which this replica leads, 0 while it stands by', labels: [] },
  hub_notifications_total: {
    type: 'counter',
    help: 'Attempts to tell webhook sinks, by what came of them: delivered, failed (tried again) or given-up',
    labels: ['sink', 'outcome'],
  },
  hub_outbox_depth: { type: 'gauge', help: 'Committed revisions that are not on the bus yet', labels: [] },
  hub_published_revision: { type: 'gauge', help: 'Newest revision that is on the bus for every cluster', labels: [] },
  hub_refused_messages_total: { type: 'counter', help: 'Messages of agents that were not believed', labels: ['reason'] },
  hub_revision: { type: 'gauge', help: 'Newest revision read from the database', labels: [] },
  hub_rotation_age_seconds: {
    ...{ type: 'gauge', labels: ['cluster'] },
    help: 'Since the rotation of a cluster that is under way was asked for; told by the leading replica',
  },
  hub_rotation_missing: {
    ...{ type: 'gauge', labels: ['cluster'] },
    help: 'What a rotation under way cannot go on without: proxies, and clusters of which none is named',
  },
  hub_rotation_phase: {
    ...{ type: 'gauge', labels: ['cluster', 'kind', 'phase'] },
    help: '1 for the phase in which the rotation of a cluster is, while it is under way',
  },
  hub_shift_weight_ratio: {
    ...{ type: 'gauge', labels: ['service', 'destination', 'state'] },
    help: 'Share of a destination of a TrafficShift with steps that is under way: desired, acked or observed; given by the leading replica',
  },
  hub_traffic_series: { type: 'gauge', help: 'Series of measured traffic that are kept', labels: [] },
  hub_watches: { type: 'gauge', help: 'Watches that are open', labels: [] },
  hub_watches_cut_off_total: { type: 'counter', help: 'Watches that were ended because their clients did not read', labels: [] },
  agent_autonomy_seconds: {
    ...{ type: 'gauge', labels: [] },
    help: 'How long this agent can go on without the hub: the time until the first of its credentials and roots ends',
  },
  agent_brake_holds_total: { type: 'counter', help: 'Losses of own endpoints that were held for confirmation', labels: [] },
  agent_bus_connected: { type: 'gauge', help: '1 while NATS is connected', labels: [] },
  agent_bus_reconnects_total: { type: 'counter', help: 'Connections to NATS after the first one', labels: [] },
  agent_certificate_expiry_seconds: {
    type: 'gauge',
    help: 'Time until certificates end: the first root of the bundle, what signs now, and the first workload certificate in use',
    labels: ['of'],
  },
  agent_connected_proxies: { type: 'gauge', help: 'Proxies with a stream', labels: [] },
  agent_endpoints: { type: 'gauge', help: 'Endpoints known, by cluster and health', labels: ['cluster', 'health'] },
  agent_event_loop_lag_seconds: { type: 'gauge', help: 'Delay of the event loop since the last scrape, 99th percentile', labels: [] },
  agent_held_endpoints: { type: 'gauge', help: 'Losses of own endpoints that wait for a confirmation now', labels: [] },
  agent_identities: {
    type: 'gauge',
    help: 'Proxies by whether their certificate is of the active generation, acknowledged, or may be of an old one',
    labels: ['generation'],
  },
  agent_injection_reviews_total: {
    type: 'counter',
    help: 'New Pods that API servers asked about, by what came of it: injected, unchanged, skipped, refused (where sidecars are injected)',
    labels: ['outcome'],
  },
  agent_multicluster_write_failures_total: {
    type: 'counter',
    help: 'Writes of ServiceImports and of statuses of ServiceExports that the API server did not take',
    labels: [],
  },
  agent_multicluster_writes_total: { type: 'counter', help: 'Writes of ServiceImports and of statuses of ServiceExports', labels: [] },
  agent_multicluster_writes_waiting: {
    type: 'gauge',
    help: 'ServiceImports and ServiceExports that are not as they should be yet, or are to be looked at',
    labels: [],
  },
  agent_publisher: { type: 'gauge', help: '1 while this is the agent that publishes for its cluster', labels: [] },
  agent_ready: { type: 'gauge', help: '1 once everything is known and compiled', labels: [] },
  agent_revision: { type: 'gauge', help: 'Hub revision that is compiled and served', labels: [] },
  agent_shard_age_seconds: { type: 'gauge', help: 'Time since another cluster was last heard of', labels: ['cluster'] },
  agent_traffic_series: { type: 'gauge', help: 'Series of traffic that are counted', labels: [] },
  agent_traffic_unread_proxies: { type: 'gauge', help: 'Proxies whose counts of traffic could not be read', labels: [] },
  agent_validity_seconds: { type: 'gauge', help: 'Time until something ends that nobody renews, by what it is', labels: ['of'] },
  agent_xds_nacks_total: { type: 'counter', help: 'Responses that proxies refused, by xDS type', labels: ['type'] },
  agent_xds_pushes_total: { type: 'counter', help: 'Responses sent to proxies, by xDS type', labels: ['type'] },
  agent_xds_refused_streams_total: { type: 'counter', help: 'Streams closed by the agent, by reason', labels: ['reason'] },
  agent_xds_streams: { type: 'gauge', help: 'Streams of proxies that are connected and authenticated', labels: [] },
} as const satisfies Readonly<Record<string, MetricSpec>>;

/** The name of a metric. */
export type MetricName = keyof typeof METRICS;
/** Names of one type. */
export type NameOf<Type extends MetricSpec['type']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never;
}[MetricName];
/** The labels of a metric. */
export type LabelOf<Name extends MetricName> = (typeof METRICS)[Name]['labels'][number];

/** PURE: the catalogue as a page. */
export function metricsPage(): string {
  const rows = Object.entries<MetricSpec>(METRICS).map(
    ([name, { type, labels, help }]) => `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  return `# Metrics

Hub: \`/metrics\` on the API's port. Agent: \`/metrics\` on the admin port (15014). Made from \`shared/runtime/src/metrics-catalogue.ts\` by \`npm run golden\`.
Both have Node's own besides (\`process_cpu_seconds_total\`, \`process_resident_memory_bytes\`, \`nodejs_eventloop_lag_seconds\`, …).

| name | type | labels | what it is |
|---|---|---|---|
${rows.join('\n')}
`;
}
