/** Two replicas of a hub, processes of their own, over one PostgreSQL and one NATS that are not theirs, for feature tests. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { natsServerBinary } from '@hawser/runtime/binaries.ts';
import type { FleetAnswer } from '@hawser/wire/hub-api.ts';
import { expect } from 'vitest';
import { freePort } from '../../../test/kit/ports.ts';
import { startTestPostgres } from '../../../test/kit/postgres.ts';
import { loadHubKeys } from './bus/hub-keys.ts';
import { externalNatsConfig } from './bus/nats-access.ts';
import { HubProcess } from './hub-process-fixture.ts';

/** The replicas, and what they share. */
export interface HubReplicas {
  readonly folder: string;
  /** What each was started with. */
  readonly flags: Readonly<Record<string, string>>;
  readonly hubs: readonly [HubProcess, HubProcess];
  /** The one that leads and the other, once one of `among` says that it does. */
  roles(among?: readonly HubProcess[]): Promise<{ readonly leader: HubProcess; readonly standby: HubProcess }>;
  stop(): Promise<void>;
}

/** Resolves when both answer. */
export async function startHubReplicas(): Promise<HubReplicas> {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-replicas-'));
  const postgres = await startTestPostgres();
  const keysDir = join(folder, 'keys');
  mkdirSync(keysDir, { recursive: true, mode: 0o700 });
  await loadHubKeys(keysDir);
  const natsPort = String(await freePort());
  const config = (await externalNatsConfig(keysDir))
    .replace('0.0.0.0:4222', `127.0.0.1:${natsPort}`)
    .replace('/var/lib/nats', join(folder, 'nats'));
  writeFileSync(join(folder, 'nats.conf'), config);
  const nats = spawn(natsServerBinary(), ['-c', join(folder, 'nats.conf')], { stdio: 'ignore' });
  const databaseUrl = await postgres.database({ migrated: false });
  const flags = { keysDir, databaseUrl, natsUrl: `nats://127.0.0.1:${natsPort}`, natsPort };
  const start = (name: string): Promise<HubProcess> => HubProcess.start(join(folder, name), flags);
  const hubs = await Promise.all([start('a'), start('b')]);
  return {
    ...{ folder, flags, hubs },
    roles: (among = hubs) => rolesOf(hubs, among),
    stop: async () => {
      for (const hub of hubs) await hub.end('SIGTERM');
      nats.kill('SIGKILL');
      await once(nats, 'exit');
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a replica says of itself. */
export async function hubStatus(hub: HubProcess): Promise<FleetAnswer['hub']> {
  return (await hub.call<FleetAnswer>('GET', '/hawser/v1/status')).body.hub;
}

async function rolesOf(hubs: readonly HubProcess[], among: readonly HubProcess[]): ReturnType<HubReplicas['roles']> {
  let leader: HubProcess | undefined;
  const leads = async (): Promise<number> => {
    const answers = await Promise.all(among.map(async (hub) => ({ hub, leads: (await hubStatus(hub)).leads === true })));
    const leading = answers.filter((one) => one.leads);
    leader = leading[0]?.hub;
    return leading.length;
  };
  await expect.poll(leads, { timeout: 20_000, interval: 50 }).toBe(1);
  const standby = hubs.find((hub) => hub !== leader);
  if (leader === undefined || standby === undefined) throw new Error('there are not two replicas');
  return { leader, standby };
}
