/** The hub's composition root. */
import { type Bus, connectBus } from '@hawser/bus/bus.ts';
import { countReconnects } from '@hawser/bus/count-reconnects.ts';
import { hubCredentials, natsAccountKey, type RevokedUser } from '@hawser/bus/nats-accounts.ts';
import { probeStores } from '@hawser/bus/store-probe.ts';
import { keepStreams } from '@hawser/bus/streams.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { writeDurably } from '@hawser/runtime/durable-file.ts';
import { createLogger, type Logger } from '@hawser/runtime/logger.ts';
import { createRegistry } from '@hawser/runtime/metrics.ts';
import { createRunGroup, type RunGroup } from '@hawser/runtime/run-group.ts';
import { requestFields } from './access/request-context.ts';
import { FoundAccounts } from './adoption/found-accounts.ts';
import { startAdoption } from './adoption/start-adoption.ts';
import { type HubKeys, loadHubKeys } from './bus/hub-keys.ts';
import { externalNatsConfig, natsCredentialsIssuer } from './bus/nats-access.ts';
import { natsRevocations } from './bus/nats-revocations.ts';
import { startChecks } from './checks/check-runner.ts';
import { revokedUsers } from './cluster/member-store.ts';
import { type HubConfig, type HubFlags, loadHubConfig } from './config.ts';
import { openDatabase } from './db/database.ts';
import { type HubGauges, registerHubMetrics } from './distribute/hub-metrics.ts';
import { LeaderStore } from './distribute/leader-store.ts';
import { type RunningDistribution, startDistribution } from './distribute/start-distribution.ts';
import { startDrillSchedule } from './drill/drill-schedule.ts';
import { drillsOf } from './drill/drill-times.ts';
import { LeaseRenewal, leaseTeller } from './drill/lease-renewal.ts';
import { ReadinessKeeper, registerReadinessMetrics, startReadiness } from './drill/readiness-keeper.ts';
import { startOverdueDrills } from './drill-report/overdue-drills.ts';
import { reportSaver } from './drill-report/report-store.ts';
import { unfitReports } from './drill-report/unfit-reports.ts';
import { Convergence } from './fleet/convergence.ts';
import { coreView } from './fleet/core-view.ts';
import { createFleet, type Fleet } from './fleet/create-fleet.ts';
import type { Distribution } from './fleet/fleet-context.ts';
import type { ReadinessCheck } from './http/server.ts';
import { createHubCore, type HubCore } from './hub-core.ts';
import { addHubRoutes } from './hub-routes.ts';
import { startNotifier } from './notify/start-notifier.ts';
import { operationKinds } from './operations/operation-kinds.ts';
import type { OperationLoop } from './operations/operation-loop.ts';
import { Operations } from './operations/operations.ts';
import { startOperations } from './operations/start-operations.ts';
import { type Integrations, loadIntegrations } from './outgoing/integrations.ts';
import { ownRecord, processesFile, refuseSecondHub } from './process-records.ts';
import { type Servers, startServers } from './servers.ts';
import { type HubDoors, openDoors } from './serving/hub-doors.ts';
import { issueCertificate } from './serving/issue-certificate.ts';
import type { StartShiftChecks } from './shift/shift-guardrails.ts';
import { type RunningTraffic, startTraffic } from './traffic/start-traffic.ts';
import type { RotationLoop } from './trust/rotation-loop.ts';
import { startBundlePoller } from './trust/start-bundle-poller.ts';
import { startRotations } from './trust/start-rotations.ts';

const VERSION = '0.1.0';
const RECORD_EVERY_MS = 1000;

/** `hawser hub run`: resolves when the hub has stopped. Fails with what keeps it from starting, after stopping what it had started. */
export async function runHub(flags: HubFlags): Promise<void> {
  const config = loadHubConfig(flags);
  const log = createLogger('hub', requestFields);
  await refuseSecondHub(config.stateDir, config);
  const group = createRunGroup(log);
  try {
    await startHub(config, { group, log });
  } catch (error) {
    const stopping = group.signal.aborted;
    if (!stopping) group.stop(messageOf(error));
    await group.stopped;
    if (!stopping) throw error;
  }
  await group.stopped;
}

/** `hawser hub nats-config [--out FILE]`: prints or writes what an external nats-server must be configured with. */
export async function printNatsConfig({ out, tlsCert, tlsKey, ...flags }: HubFlags): Promise<void> {
  const { keysDir, databaseUrl } = loadHubConfig(flags);
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new AppError('config-invalid', '--tls-cert and --tls-key belong together: give both or none');
  const tls = tlsCert === undefined || tlsKey === undefined ? undefined : { certFile: tlsCert, keyFile: tlsKey };
  const text = await externalNatsConfig(keysDir, { tls, revoked: databaseUrl === undefined ? [] : await revokedIn(databaseUrl) });
  if (out === undefined) process.stdout.write(text);
  else await writeDurably(out, text, 0o644);
}

async function revokedIn(databaseUrl: string): Promise<readonly RevokedUser[]> {
  const database = openDatabase(databaseUrl, createLogger('hub'));
  return await database.transaction(revokedUsers).finally(() => database.close());
}

/** `hawser hub certificate`: for a server beside the hub. */
export async function writeCertificate({ name, out, days, ...flags }: HubFlags & { readonly name?: string }): Promise<void> {
  const { keysDir } = loadHubConfig(flags);
  await issueCertificate({ keysDir, names: (name ?? '').split(',').filter((one) => one !== ''), out: out ?? '', days: Number(days) });
}

interface Run {
  readonly group: RunGroup;
  readonly log: Logger;
}

async function startHub(config: HubConfig, run: Run): Promise<void> {
  const { group, log } = run;
  const keys = await loadHubKeys(config.keysDir);
  const integrations = await loadIntegrations(config.integrations);
  const doors = await openDoors(config, log);
  group.onStop('doors', () => doors.stop());
  const servers = await startServers(config, keys, { ...run, doors });
  const connection = { urls: servers.natsUrls, ca: doors.natsCa, log };
  const bus = await connectBus({ ...connection, name: 'hub', credentials: await hubCredentials(keys.operator) });
  const shardBus = await connectBus({ ...connection, name: 'hub shards', credentials: await hubCredentials(keys.operator) });
  group.onStop('bus', () => Promise.all([bus.close(), shardBus.close()]).then(() => undefined));
  void keepStreams(bus, log, { signal: group.signal, replicas: config.natsReplicas });
  const onBroken = (): void => {
    servers.nats?.renew().catch((error: unknown) => log.error({ error: messageOf(error) }, 'NATS could not be started anew'));
  };
  void probeStores(bus, log, { signal: group.signal, onBroken });
  const composition = { config, keys, doors, servers, bus, shardBus, integrations, run };
  const core = await composeHub(composition);
  const url = await core.listen();
  await recordProcesses(servers, url, composition);
  log.info({ url, stateDir: config.stateDir }, 'hub is ready');
}

interface Composition {
  readonly config: HubConfig;
  readonly keys: HubKeys;
  readonly doors: HubDoors;
  readonly servers: Servers;
  readonly bus: Bus;
  readonly shardBus: Bus;
  readonly integrations: Integrations;
  readonly run: Run;
}

async function composeHub(parts: Composition): Promise<HubCore> {
  const { config, keys, doors, servers, bus } = parts;
  const { group, log } = parts.run;
  const registry = createRegistry('hub');
  const late: Late = {};
  const distribution = distributionOf(late);
  const metrics = registerHubMetrics(registry, gaugesOf(late, bus));
  const found = new FoundAccounts();
  const fleet = createFleet({
    ...{ bus, shardBus: parts.shardBus, log, distribution, version: VERSION, found },
    databaseUp: () => late.core?.databaseUp() ?? false,
    onRefused: (reason) => metrics.refused.inc({ reason }),
  });
  late.fleet = fleet;
  const readiness = new ReadinessKeeper({ context: fleet.context, traffic: () => late.traffic?.memory });
  registerReadinessMetrics(registry, readiness);
  const operations = new Operations({
    context: fleet.context,
    kinds: operationKinds({
      ...{ context: fleet.context, traffic: () => late.traffic?.memory, startChecks: checksOf(late, parts), registry },
      saveReport: reportSaver(keys.signer, unfitReports({ log, registry })),
      leases: new LeaseRenewal({ context: fleet.context, tell: leaseTeller({ context: fleet.context, bus, signer: keys.signer }) }),
    }),
    onChange: () => late.operations?.hint(),
  });
  group.onStop('fleet', () => fleet.stop());
  const core = await createHubCore({
    ...{ config, log, registry, dsn: servers.dsn, signingKeyPublic: keys.signer.publicKey, doors, operations },
    fleet: { ...coreView(fleet.context), onChange: fleet.onChange },
    issueNatsCredentials: natsCredentialsIssuer(keys.operator, { urls: servers.agentNatsUrls, ca: doors.natsCa }),
    drillReadiness: (drill) => readiness.of(drill),
    readiness: hubParts(late, { bus, signal: group.signal }),
  });
  late.core = core;
  await core.requireSharedKeys({ signingKey: keys.signer.publicKey, natsAccount: natsAccountKey(keys.operator) });
  const revoke = natsRevocations({ read: core.revokedUsers, apply: servers.revoke, log });
  late.distribution = startDistribution({
    ...{ bus, signer: keys.signer, readModel: core.readModel, listenOutbox: core.listenOutbox, group, log },
    leaderStore: (holder) => new LeaderStore({ dsn: servers.dsn, holder, address: config.publicUrl }),
    onDesired: (desired) => {
      fleet.setMembers(desired.members);
      revoke();
    },
    onPublished: () => fleet.touch(),
    onPut: (count) => metrics.documentsPublished.inc(count),
  });
  const convergence = new Convergence(fleet.context, metrics.convergence);
  group.onStop('convergence', () => convergence.stop());
  startBundlePoller(core.database, { fleet, log, group, allowPrivate: config.privateBundleEndpoints === 'on' });
  const rotations = startRotations(core.database, { fleet, log, group });
  late.rotations = rotations;
  const notifications = startNotifier(core.database, { sinks: parts.integrations.webhooks, registry, log, group });
  group.onStop('core', () => core.stop());
  // Stopped before it: what was counted is written then.
  const traffic = await startTraffic({
    ...{ bus, database: core.database, context: fleet.context, signer: keys.signer, log, group },
    leads: () => (late.distribution?.replica.term ?? 0) > 0,
    onRefused: (reason) => metrics.refused.inc({ reason }),
  });
  late.traffic = traffic;
  late.operations = startOperations(core.database, { operations, fleet, log, group });
  startAdoption(core.database, { context: fleet.context, accounts: found, registry, log, group });
  startDrillSchedule(core.database, { context: fleet.context, operations, log, group });
  startReadiness(readiness, { log, group });
  startOverdueDrills({ database: core.database, drills: () => drillsOf(fleet.context), registry, log, group });
  addHubRoutes(core, {
    ...{ fleet, found, bus, traffic, readiness, notifications, signer: keys.signer, signal: group.signal },
    onRotation: () => rotations.hint(),
  });
  return core;
}

/** Checks of what moves traffic, about traffic as it is measured; operations begin when that is. */
function checksOf(late: Late, { config, integrations }: Composition): StartShiftChecks {
  return (checks, subject, begun) => {
    const { traffic, operations } = late;
    if (traffic === undefined) throw new Error('traffic is not measured yet');
    const allowPrivate = config.privateCheckEndpoints === 'on';
    return startChecks(checks, { traffic: traffic.memory, integrations, allowPrivate, subject, onSample: () => operations?.hear() }, begun);
  };
}

/** Parts that earlier ones look at once they are there. */
interface Late {
  distribution?: RunningDistribution;
  core?: HubCore;
  traffic?: RunningTraffic;
  fleet?: Fleet;
  operations?: OperationLoop;
  rotations?: RotationLoop;
}

/** What `/readyz` tells of, beside the database. */
function hubParts(late: Late, { bus, signal }: { readonly bus: Bus; readonly signal: AbortSignal }): readonly ReadinessCheck[] {
  const unread = 'the desired state was not read yet';
  return [
    { name: 'bus', check: () => (bus.connected ? undefined : 'NATS is not connected') },
    { name: 'desired-state', check: () => (late.distribution?.loop.desired === undefined ? unread : undefined) },
    { name: 'running', check: () => (signal.aborted ? 'the hub is shutting down' : undefined) },
  ];
}

function distributionOf(late: Late): Distribution {
  return {
    get desired() {
      return late.distribution?.loop.desired;
    },
    get published() {
      return late.distribution?.loop.published ?? 0;
    },
    committedAt: (revision) => late.distribution?.loop.committedAt(revision),
    get replica() {
      return late.distribution?.replica;
    },
  };
}

function gaugesOf(late: Late, bus: Bus): HubGauges {
  return {
    outboxDepth: () => late.distribution?.loop.depth ?? 0,
    revision: () => late.distribution?.loop.desired?.revision ?? 0,
    publishedRevision: () => late.distribution?.loop.published ?? 0,
    busConnected: () => bus.connected,
    busReconnects: countReconnects(bus),
    term: () => late.distribution?.replica.term ?? 0,
    trafficSeries: () => late.traffic?.memory.size ?? 0,
    clusters: () => late.fleet?.context.fleet.countByFreshness() ?? {},
    rotations: () => late.rotations?.gauges() ?? [],
  };
}

/** Keeps `processes.json` true while servers are restarted. */
async function recordProcesses(servers: Servers, url: string, { config, run }: Composition): Promise<void> {
  const { log, group } = run;
  const hub = ownRecord(new URL(url).host);
  const write = processesFile(config.stateDir, () => ({
    hub,
    url: url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:'),
    ...(servers.postgres === undefined ? {} : { postgres: { ...servers.postgres.process, address: `127.0.0.1:${config.postgresPort}` } }),
    ...(servers.nats === undefined ? {} : { nats: servers.nats.record }),
  }));
  await write();
  const timer = setInterval(
    () => write().catch((error: unknown) => log.warn({ error: messageOf(error) }, 'processes.json was not written')),
    RECORD_EVERY_MS,
  );
  group.onStop('process records', () => clearInterval(timer));
}
