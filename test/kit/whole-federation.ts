/** Two hubs as processes on one PostgreSQL and one NATS, and agents of this process that joined them by token: nothing plays a part of another. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningAgent, startAgent } from '@hawser/agent/agent.ts';
import { loadAgentConfig } from '@hawser/agent/config.ts';
import { loadOrEnroll } from '@hawser/agent/feed/membership.ts';
import { loadHubKeys } from '@hawser/hub/bus/hub-keys.ts';
import { HubProcess, silent } from '@hawser/hub/hub-process-fixture.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { FleetAnswer } from '@hawser/wire/hub-api.ts';
import { startNats, type TestNats } from './nats.ts';
import { startTestPostgres, type TestPostgres } from './postgres.ts';
import { eventually } from './served.ts';

/** A cluster that joined. */
export interface JoinedCluster {
  readonly name: string;
  readonly registryDir: string;
  /** The key by which it knows what the hub says. */
  readonly hubKey: string;
  /** Replaces a registry file, by rename. */
  put(file: string, text: string): void;
  /** Starts its agent, or starts it again, on free ports and without health checks; `natsUrl` leads it elsewhere, as to a proxy. */
  start(options?: { readonly natsUrl?: string; readonly heartbeatMs?: number }): Promise<RunningAgent>;
}

/** The federation. */
export class WholeFederation {
  readonly postgres: TestPostgres;
  readonly nats: TestNats;
  readonly #folder: string;
  readonly #agents: RunningAgent[] = [];
  /** Two replicas. */
  hubs: readonly HubProcess[] = [];
  /** The database that the hubs work on. */
  database: string;

  private constructor(parts: { folder: string; postgres: TestPostgres; nats: TestNats; database: string }) {
    this.#folder = parts.folder;
    this.postgres = parts.postgres;
    this.nats = parts.nats;
    this.database = parts.database;
  }

  /** Starts PostgreSQL, NATS and both hubs. */
  static async start(): Promise<WholeFederation> {
    const folder = mkdtempSync(join(tmpdir(), 'hawser-whole-'));
    const postgres = await startTestPostgres();
    const { operator } = await loadHubKeys(join(folder, 'keys'));
    const nats = await startNats(silent, operator);
    const federation = new WholeFederation({ folder, postgres, nats, database: await postgres.database({ migrated: false }) });
    await federation.startHubs();
    return federation;
  }

  /** Starts both hubs on the database. */
  async startHubs(): Promise<void> {
    const natsPort = new URL(this.nats.url).port;
    const flags = { keysDir: join(this.#folder, 'keys'), databaseUrl: this.database, natsUrl: this.nats.url, natsPort };
    this.hubs = await Promise.all(['a', 'b'].map((name) => HubProcess.start(join(this.#folder, name), flags)));
  }

  async stopHubs(): Promise<void> {
    for (const hub of this.hubs) await hub.end('SIGTERM');
  }

  async status(hub = this.hubs[0] as HubProcess): Promise<FleetAnswer['hub']> {
    return (await hub.call<FleetAnswer>('GET', '/hawser/v1/status')).body.hub;
  }

  /** The hub that leads, and the other. */
  async roles(): Promise<{ readonly leader: HubProcess; readonly standby: HubProcess }> {
    let leader: HubProcess | undefined;
    await eventually(async () => {
      for (const hub of this.hubs) if ((await this.status(hub)).leads === true) leader = hub;
      return leader !== undefined;
    }, 'no hub leads');
    const standby = this.hubs.find((hub) => hub !== leader);
    if (leader === undefined || standby === undefined) throw new Error('there are not two hubs');
    return { leader, standby };
  }

  /** A cluster joins by a token, as `hawser agent run --token` does. */
  async join(name: string): Promise<JoinedCluster> {
    const body = { apiVersion: 'hawser.dev/v1alpha1', kind: 'JoinToken', metadata: { name }, spec: { cluster: name, region: name } };
    const [hub] = this.hubs;
    const made = await hub?.call<Resource<unknown, { token: string }>>('POST', '/apis/hawser.dev/v1alpha1/jointokens', body);
    const stateDir = join(this.#folder, 'agents');
    const member = await loadOrEnroll({ stateDir, token: made?.body.status?.token ?? '', log: silent });
    const registryDir = join(this.#folder, 'registry', name);
    mkdirSync(registryDir, { recursive: true });
    const flags = { registryDir, stateDir, xdsPort: '0', adminPort: '0', gateway: '127.79.0.1:15443' };
    return {
      ...{ name, registryDir, hubKey: member.membership.hubKey },
      put: (file, text) => {
        writeFileSync(join(registryDir, `.${file}`), text);
        renameSync(join(registryDir, `.${file}`), join(registryDir, file));
      },
      start: async ({ natsUrl = this.nats.url, ...options } = {}) => {
        const membership = { ...member.membership, natsUrls: [natsUrl] };
        const config = loadAgentConfig(flags, {});
        const agent = await startAgent({ config, member: { ...member, membership }, log: silent, checkMs: 0, ...options });
        this.#agents.push(agent);
        return agent;
      },
    };
  }

  /** Ends everything and removes its state. */
  async stop(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.stop()));
    await this.stopHubs();
    await this.nats.stop();
    await this.postgres.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
