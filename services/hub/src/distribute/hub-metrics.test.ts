import { createLogger } from '@hawser/runtime/logger.ts';
import { createRegistry } from '@hawser/runtime/metrics.ts';
import { METRICS } from '@hawser/runtime/metrics-catalogue.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestHub } from '../../../../test/kit/hub-core.ts';
import { startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { registerAdoptionMetrics } from '../adoption/adoption-metrics.ts';
import { DrainAccounts, registerDrainMetrics } from '../drain/drain-metrics.ts';
import { registerReadinessMetrics } from '../drill/readiness-keeper.ts';
import { startOverdueDrills } from '../drill-report/overdue-drills.ts';
import { unfitReports } from '../drill-report/unfit-reports.ts';
import { AgentAccounts } from '../fleet/agent-accounts.ts';
import { Convergence } from '../fleet/convergence.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { memberOf } from '../fleet/fleet-fixture.ts';
import { FleetState } from '../fleet/fleet-state.ts';
import { startNotifier } from '../notify/start-notifier.ts';
import { registerShiftMetrics, ShiftAccounts } from '../shift/shift-metrics.ts';
import { registerHubMetrics } from './hub-metrics.ts';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());

const OF = {
  ...{ outboxDepth: () => 3, revision: () => 8, publishedRevision: () => 5, busConnected: () => true, busReconnects: () => 2 },
  rotations: () => [{ cluster: 'us-east', kind: 'root', phase: 'Preparing', ageSeconds: 12.5, missing: 3 }],
  ...{ term: () => 4, trafficSeries: () => 6, clusters: () => ({ KNOWN: 2, STALE: 1 }) },
};

describe("the hub's metrics", () => {
  it('are those of the catalogue, no more and no fewer, with real values', async () => {
    const registry = createRegistry('hub');
    registerHubMetrics(registry, OF);
    registerAdoptionMetrics(registry, { counts: [] });
    registerDrainMetrics(registry, new DrainAccounts());
    registerShiftMetrics(registry, new ShiftAccounts(), () => undefined);
    const hub = await startTestHub(await postgres.database(), { registry });
    const ended = { signal: AbortSignal.abort(), onStop: () => undefined };
    registerReadinessMetrics(registry, { all: () => [] });
    startOverdueDrills({ database: hub.core.database, drills: () => [], registry, log: createLogger('test'), group: ended });
    unfitReports({ log: createLogger('test'), registry });
    startNotifier(hub.core.database, { sinks: [], registry, log: createLogger('test'), group: ended });
    await hub.call('GET', '/apis/hawser.dev/v1alpha1/clusters');
    const text = (await hub.core.app.inject('/metrics')).body;
    const names = [...text.matchAll(/^# TYPE (hub_\S+) /gm)].map(([, name]) => name);
    expect(names.sort()).toEqual(Object.keys(METRICS).filter((name) => name.startsWith('hub_')));
    const lines = ['hub_outbox_depth 3', 'hub_bus_reconnects_total 2', 'hub_clusters{state="STALE"} 1', 'hub_database_waiting 0'];
    lines.push('hub_rotation_phase{cluster="us-east",kind="root",phase="Preparing"} 1');
    lines.push('hub_rotation_age_seconds{cluster="us-east"} 12.5', 'hub_rotation_missing{cluster="us-east"} 3');
    for (const line of lines) expect(text).toContain(`\n${line}\n`);
    const connections = [...text.matchAll(/^hub_database_connections\{state="(?:idle|busy)"\} (\d+)$/gm)].map(([, count]) => Number(count));
    expect(connections).toHaveLength(2);
    expect(connections.reduce((a, b) => a + b)).toBeGreaterThan(0);
    expect(text).toMatch(/^hub_http_request_seconds_count\{method="GET",route="\/apis\/hawser.dev\/v1alpha1\/clusters",code="200"\} 1$/m);
    await hub.stop();
  });

  it('measure each revision once, from its commit to the last answer, when it concerns proxies and this replica leads', () => {
    const [now, committed] = [100_000, 99_000];
    const accounts = new AgentAccounts();
    const members = [memberOf('us-east')];
    let revision = 5;
    let term: number | undefined = 1;
    const context = {
      ...{ fleet: new FleetState(() => now), accounts, bus: { connected: true }, busConnectedSince: () => 0, startRevision: () => 4 },
      distribution: {
        get desired() {
          return { epoch: 7, revision, members, resources: [] };
        },
        get replica() {
          return { instance: 'one', term, leader: undefined };
        },
        ...{ published: 9, committedAt: () => committed },
      },
      ...{ databaseUp: () => true, version: '0', startedAt: 0, now: () => now },
    } as FleetContext;
    const seen: number[] = [];
    const convergence = new Convergence(context, { observe: (value: unknown) => void seen.push(Number(value)) });
    const report = (of: number, acked: number, at: number): void =>
      accounts.putRollout('us-east', { epoch: 7, revision: of, expected: 2, acked, nacks: [] }, at);
    report(5, 0, committed + 10);
    convergence.look();
    report(5, 1, committed + 20);
    convergence.look();
    expect(seen).toEqual([]);
    report(5, 2, committed + 250);
    convergence.look();
    convergence.look();
    expect(seen).toEqual([0.25]);
    revision = 6;
    term = undefined;
    report(6, 2, committed + 500);
    convergence.look();
    term = 2;
    revision = 7;
    report(7, 2, committed + 750);
    convergence.look();
    expect(seen).toEqual([0.25, 0.75]);
    convergence.stop();
  });
});
